#include "collector/journal_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "collector/frame_sequence.h"

namespace curlew::collector {
namespace {

constexpr std::string_view kJournalSuffix = ".open";
constexpr size_t kEpochDigits = 16;
constexpr size_t kSequenceDigits = 20;
constexpr size_t kLongestProbeName = 32;

std::optional<uint64_t> number_in(std::string_view digits, int base) {
    uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    return whole ? std::optional(number) : std::nullopt;
}

void append_note(proto::FrameKind kind, const EpochFacts& facts, uint64_t last, std::string& out) {
    proto::append_frame(
        {.kind = kind, .probe_id = facts.probe_id, .epoch = facts.epoch, .first_sequence = last},
        {},
        out);
}

std::string octets_of(const proto::FrameView& frame) {
    // The header lies in front of the body, empty or not.
    const auto* begin =
        reinterpret_cast<const char*>(frame.body.data()) - proto::kFrameHeaderOctets;
    return {begin, frame.frame_octets};
}

}  // namespace

uint64_t EpochFacts::clock_ns() const {
    // One that ended before its first packet never had the time.
    return ledger && ledger->clock_ns() != 0 ? ledger->clock_ns() : hello.started_ns();
}

void add_gap(std::vector<Gap>& gaps, Gap gap) {
    std::erase_if(gaps, [&](const Gap& other) {
        const bool apart = other.last + 1 < gap.first || gap.last + 1 < other.first;
        if (!apart) {
            gap = {std::min(gap.first, other.first), std::max(gap.last, other.last)};
        }
        return !apart;
    });
    gaps.insert(std::upper_bound(gaps.begin(), gaps.end(), gap), gap);
}

std::string JournalName::file() const {
    return fmt::format("{}-{:016x}-{:020}{}", probe, epoch, first_sequence, kJournalSuffix);
}

bool is_probe_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= kLongestProbeName &&
           std::all_of(name.begin(), name.end(), [](char character) {
               return (character >= 'a' && character <= 'z') ||
                      (character >= '0' && character <= '9') || character == '-';
           });
}

std::optional<JournalName> parse_journal_name(const std::string& file) {
    constexpr size_t kBehindProbe = 1 + kEpochDigits + 1 + kSequenceDigits + kJournalSuffix.size();
    if (file.size() <= kBehindProbe) {
        return std::nullopt;
    }
    const std::string_view behind = std::string_view(file).substr(file.size() - kBehindProbe);
    const auto epoch = number_in(behind.substr(1, kEpochDigits), 16);
    const auto first = number_in(behind.substr(2 + kEpochDigits, kSequenceDigits), 10);
    if (!epoch || !first) {
        return std::nullopt;
    }
    JournalName name{file.substr(0, file.size() - kBehindProbe), *epoch, *first};
    const bool ours = is_probe_name(name.probe) && name.file() == file && *first > 0;
    return ours ? std::optional(std::move(name)) : std::nullopt;
}

std::string journal_front(const EpochFacts& facts) {
    std::string front = facts.hello_frame;
    for (const Gap& gap : facts.gaps) {
        append_note(proto::FrameKind::welcome, facts, gap.first - 1, front);
        append_note(proto::FrameKind::acknowledge, facts, gap.last, front);
    }
    return front + facts.ledger_frame;
}

JournalReader::JournalReader(const std::filesystem::path& path, uint64_t before_sequence)
    : path_(path), reader_(path), times_(0), before_sequence_(before_sequence) {
    const auto name = parse_journal_name(path.filename().string());
    if (!name) {
        throw_no_front();
    }
    read_front(*name);
}

void JournalReader::throw_no_front() const {
    throw JournalFrontError(
        fmt::format("{} is no journal, or its front is damaged", path_.string()));
}

void JournalReader::read_front(const JournalName& name) {
    proto::FrameView frame;
    if (!reader_.next(frame) || frame.header.kind != proto::FrameKind::hello ||
        frame.header.epoch != name.epoch ||
        decoder_.decode(frame, facts_.hello) != BatchError::none ||
        facts_.hello.probe_name() != name.probe) {
        throw_no_front();
    }
    facts_.probe = name.probe;
    facts_.probe_id = frame.header.probe_id;
    facts_.epoch = frame.header.epoch;
    facts_.hello_frame = octets_of(frame);
    first_sequence_ = name.first_sequence;
    next_sequence_ = first_sequence_;
    uint64_t gap_begin = 0;
    while (reader_.next(frame)) {
        if (frame.header.kind == proto::FrameKind::welcome) {
            gap_begin = frame.header.first_sequence + 1;
        } else if (frame.header.kind == proto::FrameKind::acknowledge) {
            facts_.gaps.push_back({gap_begin, frame.header.first_sequence});
        } else if (frame.header.kind == proto::FrameKind::ledger &&
                   frame.header.first_sequence < first_sequence_) {
            take_ledger(frame);
        } else {
            behind_front_ = frame;
            break;
        }
    }
    octets_ = reader_.valid_octets() - (behind_front_ ? behind_front_->frame_octets : 0);
    times_.set_clock(facts_.clock_ns());
}

bool JournalReader::next(proto::FrameView& frame) {
    if (ended_) {
        return false;
    }
    if (behind_front_) {
        frame = *behind_front_;
        behind_front_.reset();
    } else if (!reader_.next(frame)) {
        ended_ = true;
        return false;
    }
    const FrameSequence sequence(facts_.probe_id, facts_.epoch, next_sequence_ - 1);
    if (frame.header.first_sequence >= before_sequence_ ||
        sequence.judge(frame.header) != FrameVerdict::next) {
        ended_ = true;
        return false;
    }
    next_sequence_ += sequences_of(frame.header);
    octets_ += frame.frame_octets;
    if (frame.header.kind == proto::FrameKind::ledger) {
        take_ledger(frame);
    }
    return true;
}

// One that is refused tells nothing; it was traffic, and stays where it is.
void JournalReader::take_ledger(const proto::FrameView& frame) {
    proto::ProbeLedger ledger;
    if (decoder_.decode(frame, ledger) == BatchError::none) {
        facts_.ledger = std::move(ledger);
        facts_.ledger_frame = octets_of(frame);
        times_.set_clock(facts_.clock_ns());
    }
}

const std::vector<uint64_t>& JournalReader::record_times(const proto::FrameView& batch) {
    return times_.of(batch);
}

}  // namespace curlew::collector
