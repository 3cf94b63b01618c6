#pragma once

#include <array>
#include <cstdint>

#include "probe/flow.h"

// When to look at a flow again. A wheel of slots, each a list of flows; a packet moves nothing: a
// flow that is due is looked at, and put further on when it was active since. So expiry costs the
// same per flow and timeout for any number of flows. Links are FlowHot::wheel_next and
// wheel_previous. One worker's.

namespace curlew::probe {

class ExpiryWheel {
  public:
    static constexpr uint64_t kTickShift = 30;  // 1.07 s
    static constexpr uint32_t kSlots = 512;     // 9 minutes; what is due later is looked at then

    ExpiryWheel() noexcept { heads_.fill(kNoFlow); }

    // Requires: the flow is in no slot.
    void add(FlowHot* flows, FlowIndex flow, uint64_t due_ns) noexcept {
        uint64_t tick = due_ns >> kTickShift;
        if (tick <= now_tick_) {
            tick = now_tick_ + 1;
        } else if (tick - now_tick_ >= kSlots) {
            tick = now_tick_ + kSlots - 1;
        }
        const uint32_t slot = slot_of(tick);
        FlowHot& hot = flows[flow];
        hot.wheel_next = heads_[slot];
        hot.wheel_previous = kSlotMark | slot;
        if (heads_[slot] != kNoFlow) {
            flows[heads_[slot]].wheel_previous = flow;
        }
        heads_[slot] = flow;
    }

    // Requires: the flow is in a slot.
    void remove(FlowHot* flows, FlowIndex flow) noexcept {
        const FlowHot& hot = flows[flow];
        if (hot.wheel_next != kNoFlow) {
            flows[hot.wheel_next].wheel_previous = hot.wheel_previous;
        }
        if ((hot.wheel_previous & kSlotMark) != 0) {
            heads_[hot.wheel_previous & ~kSlotMark] = hot.wheel_next;
        } else {
            flows[hot.wheel_previous].wheel_next = hot.wheel_next;
        }
    }

    // Whether take_due() would find something to do.
    bool has_due(uint64_t now_ns) const noexcept {
        return heads_[kDueSlot] != kNoFlow || now_ns >> kTickShift > now_tick_;
    }

    // Takes out one flow that is due by `now_ns`: end it or add it again. kNoFlow when none is.
    // Flows of one slot that were not taken yet stay due, so a caller may spread its work.
    FlowIndex take_due(FlowHot* flows, uint64_t now_ns) noexcept {
        const uint64_t tick = now_ns >> kTickShift;
        while (heads_[kDueSlot] == kNoFlow) {
            if (tick <= now_tick_) {
                return kNoFlow;
            }
            // After a jump longer than the wheel one round looks at every flow.
            if (tick - now_tick_ > kSlots) {
                now_tick_ = tick - kSlots;
            }
            ++now_tick_;
            const uint32_t slot = slot_of(now_tick_);
            heads_[kDueSlot] = heads_[slot];
            heads_[slot] = kNoFlow;
            if (heads_[kDueSlot] != kNoFlow) {
                flows[heads_[kDueSlot]].wheel_previous = kSlotMark | kDueSlot;
            }
        }
        const FlowIndex flow = heads_[kDueSlot];
        remove(flows, flow);
        return flow;
    }

  private:
    static constexpr uint32_t kSlotMark = 0x80000000;
    static constexpr uint32_t kDueSlot = 0;  // flows of a slot that is being worked off

    static uint32_t slot_of(uint64_t tick) noexcept {
        return static_cast<uint32_t>(tick % kSlots) + 1;
    }

    uint64_t now_tick_ = 0;
    std::array<FlowIndex, kSlots + 1> heads_;
};

}  // namespace curlew::probe
