#pragma once

#include <cstdint>
#include <optional>

#include "probe/joy_half.h"

// A flow of Joy 3.0.3: one direction, or two that became twins, and how Joy orients it.

namespace curlew::probe {

struct JoyFlow {
    explicit JoyFlow(const JoyKey& key, size_t idp = kJoyIdp) : older(key, idp) {}

    JoyHalf older;                 // whose first packet came first; Joy lists this one
    std::optional<JoyHalf> newer;  // the exact reverse
};

// What told the directions apart; as the correct meter has it, as far as Joy looks.
enum class JoyDirectionSource : uint8_t { payload, syn, synack, first_packet };

struct JoyOrientation {
    const JoyHalf* record = nullptr;  // the side printed first
    const JoyHalf* twin = nullptr;
    uint64_t start_us = 0;  // as Joy prints them
    uint64_t end_us = 0;
    JoyDirectionSource source = JoyDirectionSource::first_packet;
};

// Points into the flow.
JoyOrientation orient(const JoyFlow& flow) noexcept;

// Joy's clock is the latest packet's time; a record goes when it began more than 30 s before it, or
// has been silent for more than 10 s, and its twin as well. Age is asked first.
enum class JoyAge : uint8_t { live, active, inactive };
JoyAge age_of(const JoyFlow& flow, uint64_t now_us) noexcept;

}  // namespace curlew::probe
