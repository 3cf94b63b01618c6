#include "collector/metrics.h"

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(Metrics) {
    LiveStatus status;

    ProbeStatus& probe(const std::string& name) {
        ProbeStatus& added = status.probe_status.emplace_back();
        added.name = name;
        added.ledger.emplace();
        return added;
    }

    static void count(proto::Count & count, const std::string& reason, uint64_t packets) {
        count.set_reason(reason);
        count.set_packets(packets);
    }

    static void lose(
        proto::ProbeLedger & ledger, uint32_t queue, const std::string& reason, uint64_t lost) {
        proto::LossInterval& loss = *ledger.add_losses();
        loss.set_queue(queue);
        loss.set_reason(reason);
        loss.set_lost(lost);
    }

    std::string text() const {
        return render_metrics(status, {.version = "0.1.0", .resident_octets = 4096});
    }

    void has(const std::string& line) const {
        STRCMP_CONTAINS(("\n" + line + "\n").c_str(), ("\n" + text()).c_str());
    }

    std::vector<std::string> lines_with(const std::string& beginning) const {
        std::istringstream in(text());
        std::vector<std::string> lines;
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with(beginning)) {
                lines.push_back(line);
            }
        }
        return lines;
    }
};

TEST(Metrics, tell_a_ledger_by_the_name_of_its_probe) {
    ProbeStatus& attic = probe("attic");
    attic.started_ns = 1'545'661'800'500'000'000;
    attic.heard_ago = std::chrono::milliseconds(1500);
    attic.last_durable = 17;
    attic.sequences_missing = 3;
    attic.octets_waiting = 4000;
    attic.ledger->set_packets_offered(12);
    attic.ledger->set_packets_metered(7);
    attic.ledger->set_octets_metered(700);
    count(*attic.ledger->add_packets_not_metered(), "not_ip", 2);
    count(*attic.ledger->add_packets_lost(), "port_missed", 3);
    count(*attic.ledger->add_flow_ends(), "idle_timeout", 4);
    count(*attic.ledger->add_notes(), "tunnelled", 1);
    count(*attic.ledger->add_records_lost(), "outbox", 6);
    count(*attic.ledger->add_records_lost(), "dropped", 2);
    attic.ledger->set_records_sent(11);
    attic.ledger->set_tcp_octets_unseen(9);
    attic.ledger->add_clock_steps()->set_by_ns(-2'500'000'000);
    attic.ledger->set_final(true);
    probe("cellar").ledger->set_packets_offered(5);
    has("# TYPE curlew_probe_packets_offered_total counter");
    has("curlew_probe_packets_offered_total{probe=\"attic\"} 12\n"
        "curlew_probe_packets_offered_total{probe=\"cellar\"} 5");
    has("curlew_probe_packets_metered_total{probe=\"attic\"} 7");
    has("curlew_probe_records_sent_total{probe=\"attic\"} 13");
    has("curlew_probe_metered_bytes_total{probe=\"attic\"} 700");
    has("curlew_probe_packets_not_metered_total{probe=\"attic\",reason=\"not_ip\"} 2");
    has("curlew_probe_packets_lost_total{probe=\"attic\",reason=\"port_missed\"} 3");
    has("curlew_probe_flow_ends_total{probe=\"attic\",reason=\"idle_timeout\"} 4");
    has("curlew_probe_packets_noted_total{probe=\"attic\",note=\"tunnelled\"} 1");
    has("curlew_probe_records_lost_total{probe=\"attic\",reason=\"outbox\"} 6");
    has("curlew_probe_tcp_unseen_bytes_total{probe=\"attic\"} 9");
    has("curlew_probe_clock_steps_total{probe=\"attic\"} 1");
    has("curlew_probe_clock_stepped_seconds{probe=\"attic\"} -2.5");
    has("curlew_probe_final_ledger{probe=\"attic\"} 1");
    has("curlew_probe_epoch_start_seconds{probe=\"attic\"} 1545661800.5");
    has("curlew_probe_last_frame_age_seconds{probe=\"attic\"} 1.5");
    has("curlew_probe_durable_sequence{probe=\"attic\"} 17");
    has("curlew_probe_sequences_missing_total{probe=\"attic\"} 3");
    has("curlew_probe_journal_bytes{probe=\"attic\"} 4000");
    CHECK_EQUAL(0, lines_with("curlew_probe_last_acknowledgement_age_seconds{").size());
}

TEST(Metrics, tell_the_collector) {
    status.intake.records_stored = 5;
    status.intake.frames_duplicate = 2;
    status.intake.gaps = 1;
    status.records_sealed = 4;
    status.records_refused["out_of_range"] = 1;
    status.octets_removed = 1000;
    status.octets_free = 123;
    status.refusals.connections.handshakes_failed = 8;
    status.seal_trouble = "a sentence";
    has("curlew_build_info{version=\"0.1.0\"} 1");
    has("curlew_collector_resident_memory_bytes 4096");
    has("curlew_collector_records_received_total 5");
    has("curlew_collector_records_sealed_total 4");
    has("curlew_collector_records_refused_total{reason=\"out_of_range\"} 1");
    has("curlew_collector_frames_duplicate_total 2");
    has("curlew_collector_gaps_total 1");
    has("curlew_collector_removed_bytes_total 1000");
    has("curlew_collector_disk_free_bytes 123");
    has("curlew_collector_refused_total{reason=\"handshakes_failed\"} 8");
    has("curlew_collector_trouble{part=\"intake\"} 0");
    has("curlew_collector_trouble{part=\"seal\"} 1");
    CHECK_EQUAL(0, lines_with("curlew_probe_").size());
}

TEST(Metrics, a_count_keeps_all_its_digits) {
    probe("attic").ledger->set_octets_metered((uint64_t{1} << 53) - 1);
    has("curlew_probe_metered_bytes_total{probe=\"attic\"} 9007199254740991");
}

TEST(Metrics, a_reason_is_written_so_that_it_ends_where_it_ends) {
    proto::ProbeLedger& ledger = *probe("attic").ledger;
    count(*ledger.add_packets_lost(), "a\"} 1\nb\\", 2);
    count(*ledger.add_packets_lost(), "\xff", 3);
    has("curlew_probe_packets_lost_total{probe=\"attic\",reason=\"a\\\"} 1\\nb\\\\\"} 2");
    has("curlew_probe_packets_lost_total{probe=\"attic\",reason=\"\xc3\xbf\"} 3");
}

TEST(Metrics, a_reason_that_is_listed_twice_is_one_series) {
    proto::ProbeLedger& ledger = *probe("attic").ledger;
    count(*ledger.add_packets_lost(), "hand_over", 2);
    count(*ledger.add_packets_lost(), "hand_over", 3);
    has("curlew_probe_packets_lost_total{probe=\"attic\",reason=\"hand_over\"} 5");
    CHECK_EQUAL(1, lines_with("curlew_probe_packets_lost_total{").size());
}

TEST(Metrics, losses_are_added_up_by_queue) {
    proto::ProbeLedger& ledger = *probe("attic").ledger;
    lose(ledger, 0, "port_missed", 1);
    lose(ledger, 1, "port_missed", 2);
    lose(ledger, 1, "port_missed", 4);
    has("curlew_probe_queue_lost_total{probe=\"attic\",queue=\"0\",reason=\"port_missed\"} 1");
    has("curlew_probe_queue_lost_total{probe=\"attic\",queue=\"1\",reason=\"port_missed\"} 6");
}

TEST(Metrics, a_probe_cannot_make_series_without_end) {
    proto::ProbeLedger& ledger = *probe("attic").ledger;
    for (uint32_t i = 0; i < 256; ++i) {
        count(*ledger.add_packets_lost(), "reason" + std::to_string(i), 1);
        lose(ledger, i, "port_missed", 1);
    }
    count(*ledger.add_notes(), std::string(65, 'x'), 7);
    CHECK_EQUAL(65, lines_with("curlew_probe_packets_lost_total{").size());
    has("curlew_probe_packets_lost_total{probe=\"attic\",reason=\"other\"} 192");
    CHECK_EQUAL(65, lines_with("curlew_probe_queue_lost_total{").size());
    has("curlew_probe_queue_lost_total{probe=\"attic\",queue=\"other\",reason=\"other\"} 192");
    has("curlew_probe_packets_noted_total{probe=\"attic\",note=\"other\"} 7");
}

TEST(Metrics, a_probe_without_a_ledger_has_only_what_the_collector_knows) {
    probe("attic").ledger.reset();
    has("curlew_probe_durable_sequence{probe=\"attic\"} 0");
    CHECK_EQUAL(0, lines_with("curlew_probe_packets_offered_total").size());
    CHECK_EQUAL(0, lines_with("# TYPE curlew_probe_packets_offered_total").size());
}

TEST(Metrics, the_memory_of_this_process_is_known) {
    CHECK(resident_octets() > 1'000'000);
}

}  // namespace curlew::collector
