#include "collector/journal_reader.h"

#include <stdexcept>

#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::put_content;

TEST_GROUP(JournalReader) {
    tests::TemporaryFolder folder;
    TestProbe probe;

    std::filesystem::path file_from(uint64_t first, const std::string& octets) const {
        const std::filesystem::path path =
            folder.path() / JournalName{probe.name, probe.epoch, first}.file();
        put_content(path, octets);
        return path;
    }

    static uint64_t frames_of(JournalReader & reader) {
        uint64_t frames = 0;
        proto::FrameView frame;
        while (reader.next(frame)) {
            ++frames;
        }
        return frames;
    }
};

TEST(JournalReader, a_name_says_probe_epoch_and_first_sequence) {
    const JournalName name{"attic-2", 0xabc, 1001};
    STRCMP_EQUAL("attic-2-0000000000000abc-00000000000000001001.open", name.file().c_str());
    const auto parsed = parse_journal_name(name.file());
    CHECK(parsed.has_value());
    CHECK(parsed->probe == "attic-2");
    CHECK_EQUAL(0xabc, parsed->epoch);
    CHECK_EQUAL(1001, parsed->first_sequence);
}

TEST(JournalReader, other_names_are_no_journals) {
    for (const char* name : {"",
                             "walk.open",
                             "-0000000000000abc-00000000000000001001.open",
                             "Attic-0000000000000abc-00000000000000001001.open",
                             "attic-0000000000000ABC-00000000000000001001.open",
                             "attic-0000000000000abc-00000000000000001001.open.damaged",
                             "attic-0000000000000abc-00000000000000000000.open",
                             "attic-000000000000xabc-00000000000000001001.open"}) {
        CHECK_FALSE_TEXT(parse_journal_name(name).has_value(), name);
    }
}

TEST(JournalReader, probe_names_are_short_and_plain) {
    CHECK_TRUE(is_probe_name("attic-2"));
    CHECK_TRUE(is_probe_name(std::string(32, 'a')));
    for (const std::string& name : {std::string(),
                                    std::string(33, 'a'),
                                    std::string("A"),
                                    std::string("a/b"),
                                    std::string("a_b"),
                                    std::string("\xc3\xa4")}) {
        CHECK_FALSE(is_probe_name(name));
    }
}

TEST(JournalReader, gaps_are_kept_in_order_and_apart) {
    std::vector<Gap> gaps;
    add_gap(gaps, {10, 20});
    add_gap(gaps, {1, 2});
    add_gap(gaps, {30, 30});
    CHECK(gaps == (std::vector<Gap>{{1, 2}, {10, 20}, {30, 30}}));
    add_gap(gaps, {21, 29});
    CHECK(gaps == (std::vector<Gap>{{1, 2}, {10, 30}}));
    add_gap(gaps, {12, 13});
    CHECK(gaps == (std::vector<Gap>{{1, 2}, {10, 30}}));
}

TEST(JournalReader, the_clock_of_an_epoch_without_a_packet_is_that_of_its_start) {
    EpochFacts facts;
    facts.hello.set_started_ns(7);
    CHECK_EQUAL(7, facts.clock_ns());
    facts.ledger.emplace();
    CHECK_EQUAL(7, facts.clock_ns());
    facts.ledger->set_clock_ns(9);
    CHECK_EQUAL(9, facts.clock_ns());
}

TEST(JournalReader, reads_the_front_and_the_frames_behind_it) {
    EpochFacts facts = probe.facts();
    probe.skip(99);
    facts.ledger_frame = probe.ledger(kWindow).octets;
    facts.gaps = {{1, 10}, {50, 60}};
    const std::string front = journal_front(facts);
    const std::string first = probe.batch({live_flow(1, kWindow)}).octets;
    const std::string second = probe.ledger(kWindow + kMinute).octets;
    JournalReader reader(file_from(101, front + first + second), UINT64_MAX);
    CHECK_EQUAL(101, reader.first_sequence());
    CHECK_EQUAL(100, reader.last_sequence());
    CHECK_EQUAL(front.size(), reader.octets());
    CHECK(reader.facts().hello_frame == facts.hello_frame);
    CHECK(reader.facts().probe_id == probe.id);
    CHECK(reader.facts().gaps == facts.gaps);
    CHECK_EQUAL(kWindow, reader.facts().ledger->complete_until_ns());
    CHECK_EQUAL(2, frames_of(reader));
    CHECK_EQUAL(102, reader.last_sequence());
    CHECK_EQUAL(kWindow + kMinute, reader.facts().ledger->complete_until_ns());
    CHECK_EQUAL(front.size() + first.size() + second.size(), reader.octets());
}

TEST(JournalReader, ends_before_the_next_file) {
    const std::string front = journal_front(probe.facts());
    const std::string one = probe.batch({live_flow(1, kWindow)}).octets;
    const std::string two = probe.batch({live_flow(2, kWindow)}).octets;
    JournalReader reader(file_from(1, front + one + two), 2);
    CHECK_EQUAL(1, frames_of(reader));
    CHECK_EQUAL(1, reader.last_sequence());
}

TEST(JournalReader, ends_at_the_first_frame_that_does_not_follow) {
    const std::string front = journal_front(probe.facts());
    const std::string one = probe.batch({live_flow(1, kWindow)}).octets;
    probe.skip(1);
    const std::string three = probe.batch({live_flow(3, kWindow)}).octets;
    JournalReader reader(file_from(1, front + one + three), UINT64_MAX);
    CHECK_EQUAL(1, frames_of(reader));
    JournalReader torn(file_from(1, front + one.substr(0, 50)), UINT64_MAX);
    CHECK_EQUAL(0, frames_of(torn));
    CHECK_EQUAL(0, torn.last_sequence());
}

TEST(JournalReader, a_file_without_a_whole_front_tells_nothing) {
    const std::string front = journal_front(probe.facts());
    CHECK_THROWS(JournalFrontError, JournalReader(file_from(1, ""), UINT64_MAX));
    CHECK_THROWS(JournalFrontError,
                 JournalReader(file_from(1, front.substr(0, front.size() - 1)), UINT64_MAX));
    TestProbe other("cellar", probe.epoch);
    CHECK_THROWS(JournalFrontError,
                 JournalReader(file_from(1, journal_front(other.facts())), UINT64_MAX));
    other = TestProbe(probe.name, 77);
    CHECK_THROWS(JournalFrontError,
                 JournalReader(file_from(1, journal_front(other.facts())), UINT64_MAX));
}

TEST(JournalReader, a_refused_ledger_says_nothing) {
    const std::string front = journal_front(probe.facts());
    const std::string good = probe.ledger(kWindow).octets;
    proto::ReceivedFrame bad = probe.ledger(kWindow + kMinute, true);
    std::string octets;
    const std::vector<uint8_t> body{0xff};
    proto::append_frame(bad.header, body, octets);
    JournalReader reader(file_from(1, front + good + octets), UINT64_MAX);
    CHECK_EQUAL(2, frames_of(reader));
    CHECK_EQUAL(kWindow, reader.facts().ledger->complete_until_ns());
    CHECK(reader.facts().ledger_frame == good);
}

}  // namespace curlew::collector
