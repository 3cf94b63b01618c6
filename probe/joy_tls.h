#pragma once

#include <cstdint>
#include <span>

#include "proto/joy_protocols.pb.h"

namespace curlew::probe {

// One side of a TLS connection as Joy 3.0.3 collects it: packets of the handshake until another
// record comes behind them, and all records, walked by their lengths over the packets as they come.
// Segments out of order or lost are not noticed; what then stands where a header was expected is
// read as one.
class JoyTlsSide {
  public:
    void add(std::span<const uint8_t> payload, uint64_t time_us);

    void fill(proto::JoyTls& tls) const;

  private:
    bool collect(std::span<const uint8_t> payload);
    void walk(std::span<const uint8_t> payload, size_t at, uint64_t time_us);
    void count_record(uint8_t content_type, uint16_t length, uint64_t time_us);

    proto::JoyTls tls_;
    // Joy's widths: both wrap.
    uint16_t record_count_ = 0;
    uint16_t rest_of_record_ = 0;  // octets of the next packets that belong to a record begun
};

}  // namespace curlew::probe
