#pragma once

#include <memory>
#include <string_view>

#include "proto/flow.pb.h"

namespace curlew::collector {

// Makes community ids (Corelight's specification, version 1, seed 0), by which other monitors'
// records of the same flow are found:
//
//   "1:" + base64(SHA-1(seed 2 . low address . high address . protocol . 0 [. port . port]))
//
// The endpoint that compares lower, by address and then port, comes first. ICMP and ICMPv6 have
// the type of the flow's first packet in place of its sender's port and in place of the other one
// the type that answers it. A type that none answers has its code there and is not put in order.
// Protocols without ports have none.
class CommunityIdMaker {
  public:
    CommunityIdMaker();
    ~CommunityIdMaker();
    CommunityIdMaker(const CommunityIdMaker&) = delete;
    CommunityIdMaker& operator=(const CommunityIdMaker&) = delete;

    // Good until the next call. Empty where what the id is made of was not seen: the header of an
    // ICMP message, the ports of SCTP. Requires: the flow passed the batch decoder.
    std::string_view make(const proto::FlowSummary& flow);

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::collector
