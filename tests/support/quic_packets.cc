#include "tests/support/quic_packets.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>

namespace curlew::tests {

namespace {

void put(Octets& out, uint64_t value, size_t octets) {
    for (size_t i = octets; i > 0; --i) {
        out.push_back(static_cast<uint8_t>(value >> 8 * (i - 1)));
    }
}

void put(Octets& out, const Octets& octets) {
    out.insert(out.end(), octets.begin(), octets.end());
}

void put_counted(Octets& out, size_t length_octets, const Octets& octets) {
    put(out, octets.size(), length_octets);
    put(out, octets);
}

Octets encipher(const EVP_CIPHER* cipher,
                const uint8_t* key,
                const uint8_t* iv,
                const Octets& header,
                const Octets& plain,
                size_t tag_octets) {
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    Octets out(plain.size() + tag_octets);
    int octets = 0;
    int ok = EVP_EncryptInit_ex(context, cipher, nullptr, key, iv);
    EVP_CIPHER_CTX_set_padding(context, 0);
    if (!header.empty()) {
        ok &= EVP_EncryptUpdate(
            context, nullptr, &octets, header.data(), static_cast<int>(header.size()));
    }
    ok &= EVP_EncryptUpdate(
        context, out.data(), &octets, plain.data(), static_cast<int>(plain.size()));
    ok &= EVP_EncryptFinal_ex(context, out.data() + octets, &octets);
    if (tag_octets != 0) {
        ok &= EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_octets), out.data() + plain.size());
    }
    EVP_CIPHER_CTX_free(context);
    assert(ok == 1);
    return out;
}

}  // namespace

probe::QuicConnection quic_connection(uint32_t version, const Octets& id) {
    probe::QuicConnection connection;
    connection.version = version;
    connection.id_octets = static_cast<uint8_t>(id.size());
    std::copy(id.begin(), id.end(), connection.id.begin());
    return connection;
}

Octets crypto_frame(uint32_t offset, const Octets& octets, uint8_t type) {
    Octets frame{type};
    put(frame, uint64_t{offset} | uint64_t{2} << 30, 4);
    put(frame, octets.size() | 0x4000, 2);
    put(frame, octets);
    return frame;
}

Octets sealed_initial(const probe::QuicConnection& header,
                      const probe::QuicConnection& keys_of,
                      Octets plain,
                      uint32_t packet_number) {
    constexpr size_t kTagOctets = 16;
    constexpr uint32_t kVersion2 = 0x6b3343cf;
    probe::QuicKeys keys;
    const bool derived = probe::derive_quic_keys(keys_of, keys);
    assert(derived);
    plain.resize(std::max<size_t>(plain.size(), 64), 0);
    Octets packet{static_cast<uint8_t>(header.version == kVersion2 ? 0xd3 : 0xc3)};
    put(packet, header.version, 4);
    put_counted(packet, 1, Octets(header.id.begin(), header.id.begin() + header.id_octets));
    put_counted(packet, 1, {});
    put(packet, 0, 1);  // no token
    put(packet, (4 + plain.size() + kTagOctets) | 0x4000, 2);
    const size_t number_at = packet.size();
    put(packet, packet_number, 4);
    std::array<uint8_t, 12> nonce = keys.iv;
    for (size_t i = 0; i < 4; ++i) {
        nonce[11 - i] ^= static_cast<uint8_t>(packet_number >> 8 * i);
    }
    put(packet,
        encipher(EVP_aes_128_gcm(), keys.key.data(), nonce.data(), packet, plain, kTagOctets));
    const Octets sample(packet.begin() + static_cast<ptrdiff_t>(number_at) + 4,
                        packet.begin() + static_cast<ptrdiff_t>(number_at) + 20);
    const Octets mask = encipher(EVP_aes_128_ecb(), keys.header_key.data(), nullptr, {}, sample, 0);
    packet[0] = static_cast<uint8_t>(packet[0] ^ (mask[0] & 0x0f));
    for (size_t i = 0; i < 4; ++i) {
        packet[number_at + i] ^= mask[1 + i];
    }
    return packet;
}

Octets client_hello_for(const std::string& server_name, size_t padding) {
    Octets entry{0};
    put_counted(entry, 2, Octets(server_name.begin(), server_name.end()));
    Octets list;
    put_counted(list, 2, entry);
    Octets extensions;
    if (padding != 0) {
        put(extensions, 21, 2);
        put_counted(extensions, 2, Octets(padding, 0));
    }
    put(extensions, 0, 2);
    put_counted(extensions, 2, list);
    Octets body;
    put(body, 0x0303, 2);
    put(body, Octets(32, 0x55));
    put_counted(body, 1, {});
    put_counted(body, 2, {0x13, 0x01});
    put_counted(body, 1, {0});
    put_counted(body, 2, extensions);
    Octets message{1};
    put_counted(message, 3, body);
    return message;
}

}  // namespace curlew::tests
