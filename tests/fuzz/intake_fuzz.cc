#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "collector/intake.h"
#include "proto/flow.pb.h"
#include "tests/fuzz/fuzz_input.h"

// Input: what two probes of three epochs say, one after the other, frames of every kind whose
// checksums are right; between them commits, restarts of the collector, and damage to its journals
// before one.

namespace curlew {

namespace {

using collector::Answer;
using collector::Intake;
using collector::Moment;

class Session {
  public:
    explicit Session(FuzzInput& input) : input_(input) { restart(); }

    void run() {
        for (int step = 0; step < kMostSteps && !input_.empty(); ++step) {
            const uint8_t what = input_.octet();
            now_ += std::chrono::seconds(1);
            switch (what % 32) {
                case 0:
                    restart();
                    break;
                case 1:
                    damage();
                    restart();
                    break;
                case 2:
                    intake_->commit(now_);
                    break;
                case 3:
                case 4:
                case 5:
                    take(hello());
                    break;
                case 6:
                    take(frame(input_.octet() % 8, input_.text(input_.octet())));
                    break;
                default:
                    take(batch());
                    break;
            }
            take_answers();
        }
        intake_->commit(now_);
        take_answers();
        restart();
        require_ledger(counted_ == taken_);
    }

  private:
    static constexpr int kMostSteps = 40;

    void count() {
        const collector::IntakeCounters& counters = intake_->counters();
        counted_ += counters.frames_stored + counters.frames_duplicate +
                    counters.frames_out_of_sequence + counters.frames_foreign +
                    counters.frames_impersonating + counters.frames_unexpected +
                    counters.frames_unstored;
    }

    void restart() {
        if (intake_ != nullptr) {
            count();
            intake_.reset();
        }
        std::vector<std::string> problems;
        intake_ = std::make_unique<Intake>(
            folder_.path(), collector::Rotation{}, problems, now_, kFileOctets);
    }

    // Of a journal an octet, or its end. What is acknowledged may be gone then.
    void damage() {
        count();
        intake_.reset();
        told_.clear();
        for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "open")) {
            if (entry.path().extension() != ".open") {
                continue;
            }
            const auto size = static_cast<size_t>(entry.file_size());
            std::ifstream stream(entry.path(), std::ios::binary);
            std::string content(size, '\0');
            stream.read(content.data(), static_cast<std::streamsize>(size));
            const size_t at = input_.two_octets();
            if (at < size && (at & 1) != 0) {
                content[at] = static_cast<char>(content[at] ^ (1 << (input_.octet() % 8)));
            } else {
                content.resize(std::min(size, at));
            }
            std::ofstream(entry.path(), std::ios::binary) << content;
        }
    }

    proto::ReceivedFrame frame(uint8_t kind, const std::string& body, uint32_t records = 0) {
        static constexpr proto::FrameKind kKinds[] = {proto::FrameKind::hello,
                                                      proto::FrameKind::welcome,
                                                      proto::FrameKind::batch,
                                                      proto::FrameKind::ledger,
                                                      proto::FrameKind::acknowledge,
                                                      proto::FrameKind::refuse,
                                                      proto::FrameKind::batch,
                                                      proto::FrameKind::ledger};
        const uint8_t who = input_.octet();
        proto::ReceivedFrame received;
        received.peer = (who & 8) != 0 ? "one" : "two";
        received.header = {.kind = kKinds[kind],
                           .probe_id = uint64_t{1} + (who & 1),
                           .epoch = uint64_t{1} + (who >> 1) % 3,
                           .first_sequence = input_.octet(),
                           .record_count = records};
        const bool has_body = received.header.kind != proto::FrameKind::welcome &&
                              received.header.kind != proto::FrameKind::acknowledge;
        const bool has_records = received.header.kind == proto::FrameKind::batch ||
                                 received.header.kind == proto::FrameKind::ledger;
        received.header.record_count =
            has_records ? (records != 0 ? records : input_.octet() % 4) : 0;
        proto::append_frame(
            received.header,
            {reinterpret_cast<const uint8_t*>(body.data()), has_body ? body.size() : 0},
            received.octets);
        return received;
    }

    proto::ReceivedFrame hello() {
        proto::Hello hello;
        hello.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
        hello.set_probe_name(input_.octet() % 2 == 0 ? "attic" : "cellar");
        hello.set_program_version("0.1.0");
        hello.set_signatures_hash("2222222222222222");
        hello.set_started_ns(input_.octet());
        return frame(0, hello.SerializeAsString());
    }

    proto::ReceivedFrame batch() {
        const uint8_t kind = input_.octet();
        if (kind % 8 == 0) {
            proto::ProbeLedger ledger;
            ledger.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
            ledger.set_complete_until_ns(input_.octet() * uint64_t{600'000'000'000});
            ledger.set_final(kind == 8);
            return frame(3, ledger.SerializeAsString(), 1);
        }
        proto::FlowBatch batch;
        batch.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
        const uint32_t records = 1 + kind % 3;
        for (uint32_t i = 0; i < records; ++i) {
            proto::FlowSummary& flow = *batch.add_flows();
            flow.set_initiator_address("\x0a\x01\x01\x01");
            flow.set_responder_address("\x0a\x01\x01\x02");
            flow.set_flow_start_ns(input_.octet() * uint64_t{600'000'000'000});
            flow.set_flow_end_ns(flow.flow_start_ns());
        }
        return frame(2, batch.SerializeAsString(), records);
    }

    void take(const proto::ReceivedFrame& frame) {
        taken_ += frame.header.kind == proto::FrameKind::hello ? 0 : 1;
        intake_->take(
            frame, [](const collector::ProbeStream&) { return true; }, now_);
    }

    struct Told {
        uint64_t received = 0;
        uint64_t acknowledged = 0;
    };

    // What is acknowledged stays so, over restarts, too.
    void take_answers() {
        for (const Answer& answer : intake_->answers()) {
            if (answer.kind == Answer::Kind::refuse) {
                require(!answer.sentence.empty());
                continue;
            }
            const bool welcome = answer.kind == Answer::Kind::welcome;
            const std::pair of{welcome ? answer.hello.header.probe_id : answer.probe_id,
                               welcome ? answer.hello.header.epoch : answer.epoch};
            // A welcome says what arrived, an acknowledgement what will never be asked for again.
            Told& told = told_[of];
            uint64_t& before = welcome ? told.received : told.acknowledged;
            require_ledger(answer.last_durable >= before);
            require_ledger(answer.last_durable >= told.received);
            before = answer.last_durable;
        }
    }

    static constexpr uint64_t kFileOctets = 600;

    FuzzInput& input_;
    MemoryFolder folder_;
    std::unique_ptr<Intake> intake_;
    Moment now_ = Moment() + std::chrono::hours(1);
    std::map<std::pair<uint64_t, uint64_t>, Told> told_;
    uint64_t taken_ = 0;
    uint64_t counted_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    Session(input).run();
    return 0;
}

}  // namespace curlew
