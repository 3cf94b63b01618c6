#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

// `curlew compare`: how far OURS says the same as GOLDEN. Both are files of flow records, or
// folders of them; files of two folders belong together when their paths are equal without
// .json, .json.gz or .json.zst.
//
// Within a file a flow is its addresses, ports (null is a port of its own) and protocol, in either
// direction. All records of a flow stand in order of `time_start`, and GOLDEN's first meets OURS'
// first, the second the second. Later records of OURS without a counterpart are held against it
// where GOLDEN shows that it holds all records: by Joy's line of settings, or by two of one flow.
// Otherwise they are not: the published files keep the first record only.
//
// The label of a flow is `flow_type` of its first record, compared where GOLDEN has one. Every
// other key that GOLDEN's record has is compared as a JSON value (value_difference.h). Keys only
// OURS has are counted, not held against it: preset curlew adds some. `exact` holds these, and all
// later records of OURS, against it.

namespace curlew::cli {

struct CompareConfig {
    std::filesystem::path golden;
    std::filesystem::path ours;
    // What may differ: names of fields, also within ("tls.s_cert.extensions"; lists are passed
    // through), "flow_type" for labels, "extra" for flows and records only in OURS.
    std::set<std::string> allow;
    bool exact = false;
};

struct FieldAgreement {
    uint64_t equal = 0;
    uint64_t differ = 0;
    uint64_t allowed = 0;  // of those that differ: in nothing but what may
};

struct Difference {
    std::string file;
    std::string flow;   // "192.0.2.1:443 - 192.0.2.2:50000 protocol 6"
    std::string field;  // "tls.s_cert[0].issuer"; empty: the flow as a whole, and `ours` says what
    std::string golden;
    std::string ours;
};

struct CompareResult {
    uint64_t files = 0;                      // pairs that were compared
    std::vector<std::string> files_missing;  // without a partner in OURS
    std::vector<std::string> files_extra;    // without a partner in GOLDEN
    uint64_t flows_golden = 0;               // those of files_missing included
    uint64_t flows_found = 0;
    uint64_t flows_extra = 0;   // only in OURS; those of files_extra included
    uint64_t labels_equal = 0;  // flows whose paired records all have GOLDEN's label
    uint64_t labels_differ = 0;
    uint64_t records_golden = 0;
    uint64_t records_found = 0;
    uint64_t records_equal = 0;  // same keys, same values, flow_type aside; nothing is allowed here
    uint64_t records_extra = 0;  // only in OURS, of flows that GOLDEN has, where that counts
    std::map<std::string, FieldAgreement> fields;    // by key of GOLDEN's records
    std::map<std::string, uint64_t> allowed_within;  // records by path that may differ and does
    std::map<std::string, uint64_t> fields_extra;    // keys of OURS that its partner lacks

    static constexpr size_t kMaximumDifferences = 10;
    std::vector<Difference> differences;  // the first ones that are not allowed

    std::set<std::string> allow;  // as configured
    bool exact = false;           // as configured
};

// Throws std::runtime_error with one sentence that names the file and the cause.
CompareResult compare(const CompareConfig& config);

// True when nothing differs but what is allowed. No flow at all is no agreement.
bool agrees(const CompareResult& result);

// Foreign text cut short and made fit for a line on a terminal.
std::string shown_text(std::string text);

// A table for people, with the first differences.
void print_compare(const CompareResult& result, std::FILE* out);

// One JSON object: flows_golden, flows_found, labels_equal, records_equal, fields {name: {equal,
// differ}}, flows_extra, files.
std::string compare_json(const CompareResult& result);

}  // namespace curlew::cli
