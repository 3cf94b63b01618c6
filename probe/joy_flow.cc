#include "probe/joy_flow.h"

#include <algorithm>

namespace curlew::probe {

namespace {

constexpr uint64_t kInactive = 10'000'000;
constexpr uint64_t kActive = 30'000'000;

// Nothing when neither flags nor payload tell. Of two that say the same of themselves by payload
// the older one is believed; two equal flags decide nothing.
const JoyHalf* find_client(const JoyHalf& older,
                           const JoyHalf& newer,
                           JoyDirectionSource& source) noexcept {
    source = JoyDirectionSource::payload;
    if (older.role() == JoyRole::client || newer.role() == JoyRole::client) {
        return older.role() == JoyRole::client ? &older : &newer;
    }
    if (older.role() == JoyRole::server || newer.role() == JoyRole::server) {
        return older.role() == JoyRole::server ? &newer : &older;
    }
    const uint8_t older_flags = older.tcp().flags;
    const uint8_t newer_flags = newer.tcp().flags;
    if (older_flags != newer_flags) {
        source = JoyDirectionSource::syn;
        if (older_flags == kJoySyn || newer_flags == kJoySyn) {
            return older_flags == kJoySyn ? &older : &newer;
        }
        source = JoyDirectionSource::synack;
        return older_flags == kJoySynAck ? &newer : &older;
    }
    source = JoyDirectionSource::first_packet;
    return nullptr;
}

bool is_before(uint64_t time_us, uint64_t now_us, uint64_t span_us) noexcept {
    return now_us > span_us && time_us < now_us - span_us;
}

}  // namespace

JoyOrientation orient(const JoyFlow& flow) noexcept {
    const JoyHalf& older = flow.older;
    JoyOrientation found{&older, nullptr, older.start_us(), older.end_us()};
    if (!flow.newer) {
        return found;
    }
    const JoyHalf& newer = *flow.newer;
    if (const JoyHalf* client = find_client(older, newer, found.source)) {
        // The end is the listed side's alone, whichever is printed first.
        found.record = client;
        found.start_us = client->start_us();
    } else {
        found.record = older.start_us() < newer.start_us() ? &older : &newer;
        found.start_us = found.record->start_us();
        found.end_us = std::max(older.end_us(), newer.end_us());
    }
    found.twin = found.record == &older ? &newer : &older;
    return found;
}

JoyAge age_of(const JoyFlow& flow, uint64_t now_us) noexcept {
    const auto both = [&flow](auto holds) {
        return holds(flow.older) && (!flow.newer || holds(*flow.newer));
    };
    if (both([now_us](const JoyHalf& half) {
            return is_before(half.start_us(), now_us, kActive);
        })) {
        return JoyAge::active;
    }
    return both([now_us](const JoyHalf& half) {
        return is_before(half.end_us(), now_us, kInactive);
    })
               ? JoyAge::inactive
               : JoyAge::live;
}

}  // namespace curlew::probe
