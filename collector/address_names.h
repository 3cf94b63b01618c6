#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/flow.pb.h"

// Which names a client was told for an address: A and AAAA records in the answer section of DNS,
// through chains of CNAME, from the moment of the answer until its time to live has passed. Decided
// by the times of packets alone, so the order in which flows are added does not matter.

namespace curlew::collector {

class AddressNames {
  public:
    // Names kept; what comes then is counted and left out.
    static constexpr size_t kDefaultCapacity = 1'000'000;

    // Of one address at one moment; the rest is left out.
    static constexpr size_t kMaximumFound = 16;

    explicit AddressNames(size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

    // Takes the answers of a flow of DNS; any other flow has none. Requires: it passed the batch
    // decoder.
    void add(const proto::FlowSummary& flow);

    // Names asked by `client` that are valid for `address` at that moment, in order of the text.
    // Addresses as octets in network order.
    std::vector<std::string> find(std::string_view client,
                                  std::string_view address,
                                  uint64_t time_us) const;

    // Forgets what is valid no longer at that moment.
    void forget_before(uint64_t time_us);

    size_t size() const noexcept { return size_; }
    uint64_t left_out() const noexcept { return left_out_; }

  private:
    struct Binding {
        std::string name;
        uint64_t from_us;
        uint64_t until_us;
    };

    void bind(std::string_view client,
              std::string_view address,
              const std::string& name,
              uint64_t from_us,
              uint64_t until_us);

    std::unordered_map<std::string, std::vector<Binding>> bindings_;  // by client and address
    size_t capacity_;
    size_t size_ = 0;
    uint64_t left_out_ = 0;
};

}  // namespace curlew::collector
