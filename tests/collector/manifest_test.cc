#include "collector/manifest.h"

#include <string>

#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// The manifest of one record, up to the length of its file and behind the sums.
const std::string kBeforeFile = R"({
  "schema": 1,
  "program": {
    "name": "curlew",
    "version": "0.1.0"
  },
  "dataset": {
    "group": "any",
    "scenario": "kitchen",
    "name": "walk",
    "preset": "curlew",
    "fields": "full",
    "record_schema": 2,
    "records": "all",
    "selection": "host 10.0.0.1",
    "ruleset_hash": "1111111111111111",
    "signatures_hash": "2222222222222222",
    "vocabulary": 7
  },
  "capture": {
    "file": "walk.pcap",
    "sha256": "0000000000000000000000000000000000000000000000000000000089abcdef",
    "octets": 1234,
    "link_type": "ethernet",
    "nanosecond": true
  },
  "configuration": {
    "idle_timeout_tcp_s": "300",
    "active_timeout_s": "300"
  },
  "file": {
    "encoding": ".json",
    "records": 1,
)";
const std::string kBehindFile = R"(  },
  "probe": {
    "packets_offered": 4,
    "packets_metered": 1,
    "octets_metered": 0,
    "packets_not_metered": {
      "arp": 3
    },
    "packets_lost": {},
    "packets_lost_unknown": false,
    "first_packet_ns": 0,
    "last_packet_ns": 0,
    "flows_created": 0,
    "records_created": 1,
    "records_sent": 0,
    "records_waiting": 0,
    "records_lost": {},
    "flow_ends": {},
    "notes": {},
    "upstream": {
      "tcp_octets_seen": 0,
      "tcp_octets_unseen": 0
    },
    "final": false
  },
  "collector": {
    "records_received": 1,
    "records_refused": {},
    "records_not_selected": 0,
    "records_not_first": 0,
    "records_written": 1
  },
  "sequences": [
    {
      "probe": "0000000000000007",
      "epoch": "0000000000000008",
      "first": 1,
      "last": 2
    }
  ],
  "flow_types": {
    "unknown": 1
  },
  "labels": {
    "unknown": 1
  },
  "evidence": {
    "none": 1
  },
  "metadata": {
    "messages": 0,
    "malformed": 0
  },
  "names_complete": true,
  "devices_found": 2,
  "devices_complete": true,
  "devices": [
    {
      "id": "address-10.0.0.1",
      "mac": "",
      "mac_kind": "none",
      "vendor": "",
      "device": "",
      "device_source": "",
      "discovered": "",
      "role": "",
      "addresses": [
        {
          "address": "10.0.0.1",
          "first_us": 1545661851869217,
          "last_us": 1545661851869217
        }
      ],
      "names": [],
      "evidence": []
    },
    {
      "id": "address-10.0.0.2",
      "mac": "",
      "mac_kind": "none",
      "vendor": "",
      "device": "",
      "device_source": "",
      "discovered": "",
      "role": "",
      "addresses": [
        {
          "address": "10.0.0.2",
          "first_us": 1545661851869217,
          "last_us": 1545661851869217
        }
      ],
      "names": [],
      "evidence": []
    }
  ],
  "unclean_end": null
}
)";

std::string change(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_GROUP(Manifest) {
    TemporaryFolder folder;
    DatasetConfig config = dataset_config(folder.path(), "walk");
};

TEST(Manifest, says_all_that_the_bytes_follow_from) {
    config.selection = "host 10.0.0.1";
    const proto::FlowSummary flow = flow_between("10.0.0.1", 5000, "10.0.0.2", 80, 6);
    const SealResult result = seal_frames(config, batch_frame({flow}, 1) + ledger_frame(2));
    const std::string octets = std::to_string(result.sums.octets);
    const std::string file = "    \"octets\": " + octets + ",\n    \"sha256\": \"" +
                             result.sums.sha256 + "\",\n    \"content_octets\": " + octets +
                             ",\n    \"content_sha256\": \"" + result.sums.sha256 + "\"\n";
    STRCMP_EQUAL((kBeforeFile + file + kBehindFile).c_str(), content_of(result.manifest).c_str());
}

TEST(Manifest, an_end_without_ledger_is_in_the_manifest) {
    const SealResult result = seal_frames(config, batch_frame({small_flow()}, 1));
    CHECK_FALSE(result.ledger.has_value());
    STRCMP_CONTAINS("\"unclean_end\": \"the input ended without the probe's ledger\"",
                    content_of(result.manifest).c_str());
}

TEST(Manifest, a_capture_that_ended_early_is_in_it) {
    const std::string sentence = "the capture ends inside a packet";
    const SealResult result =
        seal_frames(config, batch_frame({small_flow()}, 1) + ledger_frame(2, sentence));
    STRCMP_CONTAINS(("\"unclean_end\": \"" + sentence + "\"").c_str(),
                    content_of(result.manifest).c_str());
}

TEST(Manifest, gives_back_what_a_file_is_held_against) {
    config.compress = true;
    const SealResult result = seal_frames(config, frames_of(0, 5));
    const std::optional<ManifestFacts> facts = parse_manifest(content_of(result.manifest));
    CHECK(facts.has_value());
    CHECK(facts->encoding == Encoding::json_zstd);
    STRCMP_EQUAL("curlew", facts->preset.c_str());
    CHECK_EQUAL(5, facts->records);
    CHECK_EQUAL(result.sums.octets, facts->sums.octets);
    STRCMP_EQUAL(result.sums.sha256.c_str(), facts->sums.sha256.c_str());
    STRCMP_EQUAL(result.sums.content_sha256.c_str(), facts->sums.content_sha256.c_str());
}

TEST(Manifest, tells_whether_its_ledgers_close) {
    const SealResult result = seal_frames(config, frames_of(0, 5));
    const std::string whole = content_of(result.manifest);
    CHECK_TRUE(parse_manifest(whole)->ledgers_close);
    for (const char* number : {"\"packets_offered\": ",
                               "\"packets_metered\": ",
                               "\"arp\": ",
                               "\"records_created\": ",
                               "\"records_received\": ",
                               "\"records_not_selected\": "}) {
        std::string changed = whole;
        changed.insert(changed.find(number) + std::string(number).size(), "7");
        CHECK_FALSE(parse_manifest(changed)->ledgers_close);
    }
}

TEST(Manifest, what_is_no_manifest_gives_nothing) {
    const SealResult result = seal_frames(config, frames_of(0, 5));
    const std::string whole = content_of(result.manifest);
    CHECK(parse_manifest(whole).has_value());
    CHECK_FALSE(parse_manifest("").has_value());
    CHECK_FALSE(parse_manifest("[]").has_value());
    CHECK_FALSE(parse_manifest(whole.substr(0, whole.size() / 2)).has_value());
    CHECK_FALSE(parse_manifest(change(whole, "\"schema\": 1", "\"schema\": 2")).has_value());
    CHECK_FALSE(parse_manifest(change(whole, "\".json\"", "\".xml\"")).has_value());
    CHECK_FALSE(parse_manifest(change(whole, "\"records\": 5", "\"records\": -5")).has_value());
    CHECK_FALSE(parse_manifest(change(whole, "\"file\": {", "\"file\": 1, \"x\": {")));
}

}  // namespace curlew::collector
