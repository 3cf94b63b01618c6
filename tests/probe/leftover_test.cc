#include "probe/leftover.h"

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace fs = std::filesystem;
namespace proto = curlew::proto;
using curlew::probe::Leftover;
using curlew::probe::Spool;
using curlew::probe::SpooledRun;
using curlew::probe::SpoolFolder;
using curlew::tests::content_of;
using curlew::tests::put_content;
using std::chrono::milliseconds;

namespace {

constexpr const char* kLeftoverEndpoint = "inproc://leftover-test";

std::string frame(proto::FrameKind kind, uint64_t epoch, uint64_t first, uint32_t records) {
    std::string octets;
    const std::string body = kind == proto::FrameKind::hello ? "hello" : "body";
    proto::append_frame({kind, 7, epoch, first, records},
                        {reinterpret_cast<const uint8_t*>(body.data()), body.size()},
                        octets);
    return octets;
}

}  // namespace

TEST_GROUP(Leftover) {
    curlew::tests::TemporaryFolder temporary;
    proto::ChannelContext context;
    SpoolFolder folder{temporary.path() / "spool"};
    std::vector<std::string> problems;

    // An epoch of three batches of ten.
    void leave(uint64_t epoch) {
        Spool spool(folder, epoch, frame(proto::FrameKind::hello, epoch, 1, 0), 4096);
        for (uint64_t first = 1; first < 30; first += 10) {
            spool.append(frame(proto::FrameKind::batch, epoch, first, 10), first, first + 9);
        }
        while (spool.synced() < 30) {
            std::this_thread::yield();
        }
    }

    Leftover leftover() {
        return Leftover(
            folder,
            folder.left(problems),
            context,
            {.endpoint = kLeftoverEndpoint, .hello = {}, .patience = milliseconds(200)});
    }

    // A collector that knows the first `durable` of each epoch; what it was sent, until nothing is
    // left. "epoch:first" a frame.
    std::string collect(Leftover & left, uint64_t durable) {
        proto::ChannelReceiver receiver(context, kLeftoverEndpoint);
        std::string seen;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!left.is_done() && std::chrono::steady_clock::now() < end) {
            left.turn(milliseconds(1));
            const auto got = receiver.receive(milliseconds(1));
            if (!got) {
                continue;
            }
            if (got->header.kind == proto::FrameKind::hello) {
                receiver.welcome(*got, durable);
                continue;
            }
            seen += std::to_string(got->header.epoch) + ":" +
                    std::to_string(got->header.first_sequence) + " ";
            receiver.acknowledge(got->peer, 7, got->header.epoch, got->header.first_sequence + 9);
        }
        return seen;
    }
};

TEST(Leftover, nothing_is_done_at_once) {
    Leftover left = leftover();
    CHECK(left.is_done());
    CHECK_EQUAL(0u, left.records_waiting());
}

TEST(Leftover, epochs_go_one_after_the_other_and_leave_the_spool) {
    leave(5);
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(1));
    }
    leave(4);
    Leftover left = leftover();
    CHECK_EQUAL(60u, left.records_waiting());
    STRCMP_EQUAL("5:1 5:11 5:21 4:1 4:11 4:21 ", collect(left, 0).c_str());
    CHECK(left.is_done());
    CHECK_EQUAL(0u, left.records_waiting());
    CHECK_EQUAL(0u, folder.left(problems).size());
    CHECK_EQUAL(0u, problems.size());
}

TEST(Leftover, what_the_collector_has_is_not_sent_again) {
    leave(5);
    Leftover left = leftover();
    STRCMP_EQUAL("5:21 ", collect(left, 20).c_str());
    Leftover again = leftover();
    CHECK(again.is_done());
}

TEST(Leftover, a_collector_may_have_more_than_was_spooled) {
    // What found no room in the spool was sent from memory.
    leave(5);
    Leftover left = leftover();
    STRCMP_EQUAL("", collect(left, 40).c_str());
    CHECK(left.is_done());
    CHECK_EQUAL(0u, folder.left(problems).size());
}

TEST(Leftover, a_collector_that_has_what_never_was_is_none) {
    leave(5);
    Leftover left = leftover();
    proto::ChannelReceiver receiver(context, kLeftoverEndpoint);
    for (int i = 0; i < 2000 && left.channel() != proto::SenderState::refused; ++i) {
        left.turn(milliseconds(1));
        if (const auto got = receiver.receive(milliseconds(1))) {
            receiver.welcome(*got, UINT64_MAX - 1);
        }
    }
    CHECK(left.channel() == proto::SenderState::refused);
    CHECK_EQUAL(30u, left.records_waiting());
    CHECK_EQUAL(30u, folder.left(problems).at(0).records());
}

TEST(Leftover, all_stays_while_there_is_no_collector) {
    leave(5);
    {
        Leftover left = leftover();
        for (int i = 0; i < 20; ++i) {
            left.turn(milliseconds(1));
        }
        CHECK(!left.is_done());
        CHECK_EQUAL(30u, left.records_waiting());
    }
    CHECK_EQUAL(30u, folder.left(problems).at(0).records());
}

TEST(Leftover, a_frame_that_was_damaged_since_is_told_and_the_others_go) {
    leave(5);
    Leftover left = leftover();
    const SpooledRun::Frame bad = folder.left(problems).at(0).frames.at(1);
    std::string octets = content_of(bad.file);
    octets[bad.offset + bad.octets / 2] ^= 1;
    put_content(bad.file, octets);
    STRCMP_EQUAL("5:1 5:21 ", collect(left, 0).c_str());
    CHECK(left.is_done());
    const std::vector<std::string> told = left.problems();
    CHECK_EQUAL(1u, told.size());
    STRCMP_CONTAINS("10 records are lost: ", told[0].c_str());
    STRCMP_CONTAINS("bad_checksum; it is kept as ", told[0].c_str());
    CHECK(content_of(bad.file.string() + ".damaged") == octets);
}

TEST(Leftover, what_is_on_its_way_is_acknowledged_before_a_bad_frame_is_passed_over) {
    leave(5);
    Leftover left = leftover();
    const SpooledRun::Frame bad = folder.left(problems).at(0).frames.at(1);
    std::string octets = content_of(bad.file);
    octets[bad.offset + bad.octets / 2] ^= 1;
    put_content(bad.file, octets);
    proto::ChannelReceiver receiver(context, kLeftoverEndpoint);
    std::optional<proto::ReceivedFrame> first;
    for (int i = 0; i < 2000 && !first; ++i) {
        left.turn(milliseconds(1));
        auto got = receiver.receive(milliseconds(1));
        if (got && got->header.kind == proto::FrameKind::hello) {
            receiver.welcome(*got, 0);
        } else if (got) {
            first = std::move(got);
        }
    }
    CHECK_EQUAL(1u, first->header.first_sequence);
    for (int i = 0; i < 20; ++i) {
        left.turn(milliseconds(1));
    }
    CHECK_EQUAL(0u, left.problems().size());
    CHECK_EQUAL(30u, left.records_waiting());
    receiver.acknowledge(first->peer, 7, 5, 10);
    for (int i = 0; i < 2000 && left.records_waiting() != 10; ++i) {
        left.turn(milliseconds(1));
    }
    CHECK_EQUAL(1u, left.problems().size());
    CHECK_EQUAL(10u, left.records_waiting());
}

TEST(Leftover, a_frame_that_cannot_be_read_is_told_and_the_rest_goes) {
    leave(5);
    Leftover left = leftover();
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        if (entry.path().extension() == ".spool") {
            fs::resize_file(entry.path(), 100);
        }
    }
    STRCMP_EQUAL("", collect(left, 0).c_str());
    CHECK(left.is_done());
    CHECK_EQUAL(3u, left.problems().size());
    CHECK_EQUAL(0u, left.problems().size());
}
