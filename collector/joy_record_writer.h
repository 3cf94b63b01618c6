#pragma once

#include <string>
#include <string_view>

#include "collector/json_line.h"
#include "proto/flow.pb.h"

// Preset `joy-3.0.3`: a record as Joy 3.0.3 prints it with bidir, http, dns, tls, dist, entropy,
// idp=1300, hd, wht, dhcp, payload and ppi, its fields, their presence, order and digits; equal as
// JSON, not as octets. What is wrong in these records is wrong in Joy's too.

namespace curlew::collector {

class JoyRecordWriter {
  public:
    // The line with its newline, good until the next call. `flow_type` becomes the last member, as
    // `curlew annotate` adds it; null: none. Requires: the flow passed the batch decoder and has a
    // Joy record.
    std::string_view write(const proto::FlowSummary& flow, const std::string* flow_type);

  private:
    JsonLine json_;
};

}  // namespace curlew::collector
