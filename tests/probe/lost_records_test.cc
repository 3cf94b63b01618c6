#include "probe/lost_records.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::probe {

TEST_GROUP(LostRecords) {
    LostRecords lost;

    // "outbox 3; dropped 2; dropped? 1-4; ": counts, then what is in doubt.
    std::string told(bool final) const {
        proto::ProbeLedger message;
        lost.fill(message, final);
        std::string text;
        for (const proto::Count& count : message.records_lost()) {
            text += count.reason() + " " + std::to_string(count.packets()) + "; ";
        }
        for (const proto::RecordsInDoubt& doubt : message.in_doubt()) {
            text += doubt.loss().reason() + "? " + std::to_string(doubt.first_sequence()) + "-" +
                    std::to_string(doubt.last_sequence()) + "; ";
        }
        return text;
    }
};

TEST(LostRecords, nothing_is_lost_at_first) {
    STRCMP_EQUAL("", told(true).c_str());
    CHECK(lost.decided());
    CHECK_EQUAL(0u, lost.dropped_through());
}

TEST(LostRecords, what_found_no_room_and_what_made_room_are_counted_apart) {
    lost.lose(3, 100, 200);
    lost.drop({.last_sequence = 9, .records = 2, .from_ns = 300, .to_ns = 400}, false);
    STRCMP_EQUAL("outbox 3; dropped 2; ", told(true).c_str());
    CHECK_EQUAL(3u, lost.without_room());
    CHECK_EQUAL(2u, lost.dropped());
    CHECK_EQUAL(9u, lost.dropped_through());
    proto::ProbeLedger message;
    lost.fill(message, false);
    CHECK_EQUAL(2, message.losses_size());
    CHECK_EQUAL(300u, message.losses(1).from_ns());
    CHECK_EQUAL(400u, message.losses(1).to_ns());
    CHECK_EQUAL(2u, message.losses(1).lost());
}

TEST(LostRecords, what_was_on_its_way_is_undecided_until_an_answer_comes) {
    for (const uint64_t last : {4, 8, 12}) {
        lost.drop({.last_sequence = last, .records = 4}, true);
    }
    STRCMP_EQUAL("", told(false).c_str());
    STRCMP_EQUAL("dropped? 1-4; dropped? 5-8; dropped? 9-12; ", told(true).c_str());
    lost.decide(4, false);
    CHECK_FALSE(lost.decided());
    STRCMP_EQUAL("dropped? 5-8; dropped? 9-12; ", told(true).c_str());
    lost.decide(8, true);
    CHECK(lost.decided());
    STRCMP_EQUAL("dropped 4; ", told(true).c_str());
}

TEST(LostRecords, what_is_given_up_at_the_end_is_in_doubt) {
    lost.give_up({.last_sequence = 7, .records = 2, .from_ns = 5, .to_ns = 6});
    lost.give_up({.last_sequence = 8, .records = 0});
    STRCMP_EQUAL("", told(false).c_str());
    STRCMP_EQUAL("outbox? 6-7; ", told(true).c_str());
}

}  // namespace curlew::probe
