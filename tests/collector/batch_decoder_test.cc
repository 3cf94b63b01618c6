#include "collector/batch_decoder.h"

#include <google/protobuf/stubs/logging.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "proto/body_limits.h"
#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

proto::FrameView view_of(proto::FrameKind kind, const std::string& body, uint32_t record_count) {
    proto::FrameView view;
    view.header.kind = kind;
    view.header.record_count = record_count;
    view.body = {reinterpret_cast<const uint8_t*>(body.data()), body.size()};
    return view;
}

const char* decode(const std::string& body, uint32_t record_count) {
    const BatchDecoder decoder;
    proto::FlowBatch batch;
    return name_of(decoder.decode(view_of(proto::FrameKind::batch, body, record_count), batch));
}

std::string body_of(const proto::FlowSummary& flow) {
    proto::FlowBatch batch;
    batch.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    *batch.add_flows() = flow;
    return batch.SerializeAsString();
}

// What the decoder says of a small flow after `change`.
const char* decode_changed(const std::function<void(proto::FlowSummary&)>& change) {
    proto::FlowSummary flow = small_flow();
    change(flow);
    return decode(body_of(flow), 1);
}

std::string fields(const std::string& field, size_t count) {
    std::string octets;
    for (size_t i = 0; i < count; ++i) {
        octets += field;
    }
    return octets;
}

}  // namespace

TEST_GROUP(BatchDecoder){};

TEST(BatchDecoder, takes_what_keeps_every_limit) {
    STRCMP_EQUAL("none", decode(body_of(small_flow()), 1));
    STRCMP_EQUAL("none", decode_changed([](auto& flow) {
                     for (int i = 0; i < 1024; ++i) {
                         flow.mutable_packets()->add_gap_ns(1);
                         flow.mutable_packets()->add_payload_octets(1);
                         flow.mutable_packets()->add_flags(0);
                     }
                     for (int i = 0; i < 64; ++i) {
                         flow.add_matches()->set_value(std::string(512, 'x'));
                     }
                 }));
}

TEST(BatchDecoder, counts_flows_before_it_builds_them) {
    // 0x12 0x00: an empty flow, two octets each.
    const std::string empty_flows = fields(std::string("\x12\0", 2), 100'000);
    STRCMP_EQUAL("wrong_record_count", decode(empty_flows, 4096));
    STRCMP_EQUAL("too_many_elements", decode(empty_flows, 100'000));
}

TEST(BatchDecoder, counts_matches_before_it_builds_them) {
    // 0xaa 0x01 0x00: an empty match; 0xb2 0x01 0x00: an empty ICMP type; 0x82 0x02 0x00: an empty
    // message.
    for (const std::string& field :
         {std::string("\xaa\1\0", 3), std::string("\xb2\1\0", 3), std::string("\x82\2\0", 3)}) {
        const std::string flow = fields(field, 5000);
        // 15,000 octets: two octets of varint.
        const std::string body = std::string("\x12\x98\x75") + flow;
        STRCMP_EQUAL("too_many_elements", decode(body, 1));
    }
}

TEST(BatchDecoder, the_header_says_how_many_flows) {
    STRCMP_EQUAL("wrong_record_count", decode(body_of(small_flow()), 2));
    STRCMP_EQUAL("wrong_record_count", decode(body_of(small_flow()), 0));
}

TEST(BatchDecoder, refuses_what_is_no_message) {
    STRCMP_EQUAL("not_a_batch", decode("\x12\x7f", 1));
    STRCMP_EQUAL("not_a_batch", decode("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1));
    STRCMP_EQUAL("not_a_batch", decode("\x13", 0));
}

TEST(BatchDecoder, refuses_a_schema_it_does_not_know) {
    proto::FlowBatch batch;
    *batch.add_flows() = small_flow();
    STRCMP_EQUAL("unknown_schema", decode(batch.SerializeAsString(), 1));
}

TEST(BatchDecoder, addresses_have_four_or_sixteen_octets_both) {
    STRCMP_EQUAL("wrong_length",
                 decode_changed([](auto& flow) { flow.set_initiator_address("12345"); }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) {
                     flow.set_responder_address(std::string(16, 'x'));
                 }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) {
                     flow.clear_initiator_address();
                     flow.clear_responder_address();
                 }));
}

TEST(BatchDecoder, lists_keep_their_bounds) {
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 1025; ++i) {
                         flow.mutable_packets()->add_gap_ns(1);
                     }
                 }));
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 1025; ++i) {
                         flow.mutable_forward()->add_ip_ids(1);
                     }
                 }));
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 9; ++i) {
                         flow.add_vlan_ids(1);
                     }
                 }));
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 65; ++i) {
                         flow.add_matches()->set_packet(1);
                     }
                 }));
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 513; ++i) {
                         flow.add_messages()->set_packet(1);
                     }
                 }));
}

TEST(BatchDecoder, messages_of_a_record_are_bounded_together) {
    STRCMP_EQUAL("none", decode_changed([](auto& flow) {
                     flow.add_messages()->set_octets(std::string(32768, 'x'));
                     flow.add_messages()->set_octets(std::string(32768, 'x'));
                 }));
    STRCMP_EQUAL("too_long_octets", decode_changed([](auto& flow) {
                     flow.add_messages()->set_octets(std::string(32768, 'x'));
                     flow.add_messages()->set_octets(std::string(32769, 'x'));
                 }));
}

TEST(BatchDecoder, lists_of_one_length_have_it) {
    STRCMP_EQUAL("wrong_length",
                 decode_changed([](auto& flow) { flow.mutable_packets()->add_gap_ns(1); }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) { flow.set_byte_counts("a"); }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) { flow.add_walsh_sums(1); }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) { flow.add_icmp_types("1"); }));
    STRCMP_EQUAL("wrong_length", decode_changed([](auto& flow) {
                     flow.mutable_reverse()->set_source_mac("12345");
                 }));
}

TEST(BatchDecoder, flags_of_listed_packets_are_as_many_as_these_or_none) {
    for (const int count : {1, 3}) {
        STRCMP_EQUAL("wrong_length", decode_changed([count](auto& flow) {
                         add_packet(flow, 0, 1, 0);
                         add_packet(flow, 0, 1, 0);
                         for (int i = 0; i < count; ++i) {
                             flow.mutable_packets()->add_control_bits(2);
                         }
                     }));
    }
    STRCMP_EQUAL("none", decode_changed([](auto& flow) {
                     add_packet(flow, 0, 1, 0);
                     flow.mutable_packets()->add_control_bits(2);
                 }));
}

TEST(BatchDecoder, statistics_are_held_against_their_histogram) {
    for (const auto spread : {&proto::Direction::mutable_payload_spread,
                              &proto::Direction::mutable_frame_spread,
                              &proto::Direction::mutable_gap_spread}) {
        STRCMP_EQUAL("out_of_range", decode_changed([spread](auto& flow) {
                         (flow.mutable_reverse()->*spread)()->set_count(1);
                     }));
    }
    STRCMP_EQUAL("none", decode_changed([](auto& flow) {
                     proto::Spread& spread = *flow.mutable_reverse()->mutable_gap_spread();
                     spread.set_count(2);
                     for (const uint32_t bin : {0, 0, 0, 2, 0, 0, 0, 0}) {
                         spread.add_histogram(bin);
                     }
                 }));
}

TEST(BatchDecoder, octet_strings_keep_their_bounds) {
    STRCMP_EQUAL("too_long_octets", decode_changed([](auto& flow) {
                     flow.mutable_forward()->set_first_packet(std::string(2049, 'x'));
                 }));
    STRCMP_EQUAL("too_long_octets", decode_changed([](auto& flow) {
                     flow.add_matches()->set_signature(std::string(513, 'x'));
                 }));
    STRCMP_EQUAL("too_long_octets", decode_changed([](auto& flow) {
                     flow.mutable_forward()->mutable_tcp_start()->set_options(std::string(41, 'x'));
                 }));
}

TEST(BatchDecoder, numbers_fit_their_elements) {
    STRCMP_EQUAL("out_of_range",
                 decode_changed([](auto& flow) { flow.set_initiator_port(65536); }));
    STRCMP_EQUAL("out_of_range",
                 decode_changed([](auto& flow) { flow.set_protocol_identifier(256); }));
    STRCMP_EQUAL("out_of_range",
                 decode_changed([](auto& flow) { flow.set_published_ttl_in(256); }));
    STRCMP_EQUAL("out_of_range", decode_changed([](auto& flow) {
                     flow.mutable_reverse()->set_payload_octets(UINT64_MAX);
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([](auto& flow) {
                     flow.mutable_reverse()->set_copies(UINT64_MAX);
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([](auto& flow) {
                     flow.set_byte_counts("a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1");
                 }));
    STRCMP_EQUAL("out_of_range",
                 decode_changed([](auto& flow) { flow.set_byte_counts("b\1a\1"); }));
    STRCMP_EQUAL("out_of_range", decode_changed([](auto& flow) {
                     flow.set_flow_end_reason(static_cast<proto::FlowEndReason>(99));
                 }));
}

TEST(BatchDecoder, tunnels_keep_their_limits) {
    const auto add_tunnel = [](proto::FlowSummary& flow, proto::TunnelType type, uint32_t id) {
        proto::Tunnel& tunnel = *flow.add_tunnels();
        tunnel.set_type(type);
        tunnel.set_id(id);
    };
    STRCMP_EQUAL("none", decode_changed([&](auto& flow) {
                     add_tunnel(flow, proto::TUNNEL_TYPE_VXLAN, 0xffffff);
                     flow.set_tunnel_id(0x1000000);
                 }));
    STRCMP_EQUAL("too_many_elements", decode_changed([](auto& flow) {
                     for (int i = 0; i < 9; ++i) {
                         flow.add_tunnels()->set_type(proto::TUNNEL_TYPE_MPLS);
                     }
                 }));
    STRCMP_EQUAL("wrong_length", decode_changed([&](auto& flow) {
                     add_tunnel(flow, proto::TUNNEL_TYPE_GRE, 1);
                     flow.mutable_tunnels(0)->set_source_address("1234");
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([&](auto& flow) {
                     add_tunnel(flow, static_cast<proto::TunnelType>(99), 1);
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([&](auto& flow) {
                     add_tunnel(flow, proto::TUNNEL_TYPE_GENEVE, 0x1000000);
                     flow.set_tunnel_id(0x1000001);
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([&](auto& flow) {
                     add_tunnel(flow, proto::TUNNEL_TYPE_VXLAN, 7);
                     flow.set_tunnel_id(7);
                 }));
    STRCMP_EQUAL("out_of_range", decode_changed([](auto& flow) { flow.set_tunnel_id(7); }));
}

TEST(BatchDecoder, packet_times_do_not_run_over) {
    STRCMP_EQUAL("time_overflow", decode_changed([](auto& flow) {
                     flow.mutable_packets()->add_gap_ns(UINT64_MAX - kStart + 1);
                     flow.mutable_packets()->add_payload_octets(1);
                     flow.mutable_packets()->add_flags(0);
                 }));
}

TEST(BatchDecoder, mutated_batches_are_taken_or_refused) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_NAME, "a.example", "a");
    flow.mutable_forward()->set_first_packet(std::string(100, 'p'));
    const std::string whole = body_of(flow);
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string body = whole;
        for (unsigned i = random() % 4; i < 4; ++i) {
            body[random() % body.size()] = static_cast<char>(random());
        }
        refused += std::string(decode(body, 1)) == "none" ? 0 : 1;
    }
    CHECK_TEXT(refused > 1000, ("seed " + std::to_string(seed)).c_str());
}

TEST(BatchDecoder, what_libprotobuf_complains_of_is_counted_and_not_said) {
    const BatchDecoder decoder;
    const uint64_t before = BatchDecoder::complaints();
    // No message of ours is known to make it complain.
    GOOGLE_LOG(ERROR) << "a line of libprotobuf's";
    CHECK_EQUAL(before + 1, BatchDecoder::complaints());
}

TEST(BatchDecoder, a_sentence_need_not_be_utf_8) {
    const BatchDecoder decoder;
    proto::ProbeLedger ledger = ledger_of(3);
    ledger.set_capture_warning("/captures/caf\xe9: torn");
    const std::string body = ledger.SerializeAsString();
    CHECK(decoder.decode(view_of(proto::FrameKind::ledger, body, 1), ledger) == BatchError::none);
}

TEST(BatchDecoder, a_ledger_keeps_its_limits) {
    const BatchDecoder decoder;
    const auto decode_ledger = [&](const proto::ProbeLedger& ledger) {
        const std::string body = ledger.SerializeAsString();
        proto::ProbeLedger decoded;
        return name_of(decoder.decode(view_of(proto::FrameKind::ledger, body, 1), decoded));
    };
    STRCMP_EQUAL("none", decode_ledger(ledger_of(3)));
    STRCMP_EQUAL("unknown_schema", decode_ledger(proto::ProbeLedger()));
    proto::ProbeLedger many = ledger_of(3);
    for (int i = 0; i < 300; ++i) {
        many.add_notes();
    }
    STRCMP_EQUAL("too_many_elements", decode_ledger(many));
    proto::ProbeLedger endless = ledger_of(3);
    endless.set_octets_metered(uint64_t{1} << 60);
    STRCMP_EQUAL("none", decode_ledger(endless));
    endless.set_packets_metered(~uint64_t{0});
    STRCMP_EQUAL("out_of_range", decode_ledger(endless));
    proto::ProbeLedger recorded = ledger_of(3);
    for (int i = 0; i < proto::kMaximumRecordingFiles; ++i) {
        recorded.mutable_recording()->add_files()->set_name("a.pcapng");
    }
    STRCMP_EQUAL("none", decode_ledger(recorded));
    recorded.mutable_recording()->mutable_files(7)->set_from_ns(1);
    STRCMP_EQUAL("out_of_range", decode_ledger(recorded));
    recorded.mutable_recording()->mutable_files(7)->set_name(std::string(513, 'a'));
    STRCMP_EQUAL("too_long_octets", decode_ledger(recorded));
    recorded.mutable_recording()->add_files();
    STRCMP_EQUAL("too_many_elements", decode_ledger(recorded));
    proto::ProbeLedger doubtful = ledger_of(3);
    for (int i = 0; i < proto::kMaximumInDoubt; ++i) {
        doubtful.add_in_doubt();
    }
    STRCMP_EQUAL("none", decode_ledger(doubtful));
    doubtful.mutable_in_doubt(5)->mutable_loss()->set_from_ns(1);
    STRCMP_EQUAL("out_of_range", decode_ledger(doubtful));
    doubtful.mutable_in_doubt(5)->mutable_loss()->set_reason(std::string(513, 'a'));
    STRCMP_EQUAL("too_long_octets", decode_ledger(doubtful));
    doubtful.add_in_doubt();
    STRCMP_EQUAL("too_many_elements", decode_ledger(doubtful));
    proto::ProbeLedger wordy = ledger_of(3);
    wordy.set_capture_warning(std::string(513, 'x'));
    STRCMP_EQUAL("too_long_octets", decode_ledger(wordy));
}

TEST(BatchDecoder, settings_of_a_hello_may_be_longer_than_other_texts) {
    const auto decode_hello = [](size_t setting_octets, size_t filter_octets) {
        proto::Hello hello;
        hello.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
        hello.add_configuration()->set_value(std::string(setting_octets, 's'));
        hello.add_ports()->set_filter(std::string(filter_octets, 'f'));
        const std::string body = hello.SerializeAsString();
        const proto::FrameView frame{{proto::FrameKind::hello, 1, 1, 1, 0},
                                     {reinterpret_cast<const uint8_t*>(body.data()), body.size()}};
        return name_of(BatchDecoder().decode(frame, hello));
    };
    STRCMP_EQUAL("none", decode_hello(proto::kMaximumSettingOctets, proto::kMaximumTextOctets));
    STRCMP_EQUAL("too_long_octets", decode_hello(proto::kMaximumSettingOctets + 1, 0));
    STRCMP_EQUAL("too_long_octets", decode_hello(0, proto::kMaximumTextOctets + 1));
}

}  // namespace curlew::collector
