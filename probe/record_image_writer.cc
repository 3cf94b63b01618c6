// Hot path.
#include "probe/record_image_writer.h"

#include <cstring>

namespace curlew::probe {

RecordImage make_image(const FlowHot& hot,
                       const FlowWarm& warm,
                       const FlowFeatures& features,
                       const MessageStore& messages) noexcept {
    RecordImage image;
    const FlowDetails* details = features.details(hot);
    std::array<ChainLength, 6> chains{
        features.chain(warm.names), features.chain(warm.tunnels), messages.chain(warm)};
    if (details != nullptr) {
        features.prefetch_export(*details);
        chains[3] = features.chain(details->packets);
        chains[4] = features.chain(details->first_packet[0]);
        chains[5] = features.chain(details->first_packet[1]);
    }
    measure_chains(chains);
    image.hot = hot;
    image.warm = warm;
    image.names_octets = chains[0].octets;
    image.tunnels_octets = chains[1].octets;
    image.messages_octets = chains[2].octets;
    if (details == nullptr) {
        image.details = FlowDetails{};
        return image;
    }
    image.has_details = 1;
    image.details = *details;
    image.packets_octets = chains[3].octets;
    image.first_packet_octets[0] = chains[4].octets;
    image.first_packet_octets[1] = chains[5].octets;
    image.tcp_octets = details->tcp_beginnings != 0 ? 2 * sizeof(TcpBeginning) : 0;
    image.counts_octets = static_cast<uint32_t>(features.counts(*details).size());
    for (const size_t side : {size_t{0}, size_t{1}}) {
        const bool is_there = features.statistics(*details, side) != nullptr;
        image.statistics_octets[side] = is_there ? sizeof(SideStatistics) : 0;
    }
    return image;
}

size_t octets_of(const RecordImage& image) noexcept {
    return sizeof(image) + image.names_octets + image.messages_octets + image.tunnels_octets +
           image.packets_octets + image.first_packet_octets[0] + image.first_packet_octets[1] +
           image.tcp_octets + image.counts_octets + image.statistics_octets[0] +
           image.statistics_octets[1];
}

void write_image(const RecordImage& image,
                 const FlowDetails* details,
                 const FlowFeatures& features,
                 const MessageStore& messages,
                 uint8_t* out) noexcept {
    const auto put = [&out](const void* octets, size_t count) {
        if (count != 0) {
            std::memcpy(out, octets, count);
            out += count;
        }
    };
    const auto put_part = [&](std::span<const uint8_t> part) { put(part.data(), part.size()); };
    put(&image, sizeof(image));
    features.visit_chain(image.warm.names, put_part);
    messages.visit(image.warm, put_part);
    features.visit_chain(image.warm.tunnels, put_part);
    if (details == nullptr) {
        return;
    }
    features.visit_chain(details->packets, put_part);
    features.visit_chain(details->first_packet[0], put_part);
    features.visit_chain(details->first_packet[1], put_part);
    put(features.tcp_beginnings(*details), image.tcp_octets);
    put(features.counts(*details).data(), image.counts_octets);
    put(features.statistics(*details, 0), image.statistics_octets[0]);
    put(features.statistics(*details, 1), image.statistics_octets[1]);
}

}  // namespace curlew::probe
