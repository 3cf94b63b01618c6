#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/spool.h"
#include "proto/frame.h"
#include "tests/fuzz/fuzz_input.h"

// Input: files of a spool's folder, one after the other. Each: one octet what it is, two for its
// name, then its parts until one that ends it: a frame whose checksum is right, octets as they are,
// or zeros.

namespace curlew {

namespace {

constexpr size_t kMostFiles = 6;

std::string hex(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
    return text;
}

std::string segment_of(FuzzInput& input, uint64_t epoch) {
    std::string content;
    while (!input.empty()) {
        const uint8_t part = input.octet();
        if (part % 8 == 0) {
            break;
        }
        if (part % 8 == 1) {
            content += input.text(input.octet());
            continue;
        }
        if (part % 8 == 2) {
            content.append(input.octet(), '\0');
            continue;
        }
        proto::FrameHeader header;
        header.kind = part % 8 == 3 ? proto::FrameKind::hello : proto::FrameKind::batch;
        header.kind = part % 8 == 4 ? proto::FrameKind::ledger : header.kind;
        header.probe_id = part >> 7;
        header.epoch = (part & 64) != 0 ? input.octet() % 4 : epoch;
        header.first_sequence = input.octet();
        header.record_count = part % 8 == 3 ? 0 : input.octet() % 16;
        const auto body = input.octets(input.octet() % 32);
        proto::append_frame(header, body, content);
    }
    return content;
}

// What is given back is what the disk has: whole frames of the epoch, their sequences in order.
void check_run(const probe::SpooledRun& run) {
    require(!run.frames.empty());
    uint64_t next = run.frames.front().first_sequence;
    for (const probe::SpooledRun::Frame& frame : run.frames) {
        require(frame.first_sequence == next);
        require(frame.last_sequence >= frame.first_sequence);
        next = frame.last_sequence + 1;
        const std::string octets = probe::read_spooled(frame);
        proto::FrameView view;
        require(proto::decode_frame(
                    {reinterpret_cast<const uint8_t*>(octets.data()), octets.size()}, view) ==
                proto::FrameError::none);
        require(view.header.epoch == run.epoch);
        require(view.header.probe_id == run.probe_id);
        require(view.header.first_sequence == frame.first_sequence);
        require(frame.records == 0 || view.header.record_count == frame.records);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    const MemoryFolder folder;
    for (size_t i = 0; i < kMostFiles && !input.empty(); ++i) {
        const uint8_t kind = input.octet();
        const uint64_t epoch = 1 + input.octet() % 3;
        if (kind % 4 == 0) {
            folder.put(hex(epoch) + ".acknowledged", input.text(input.octet() % 32));
        } else if (kind % 4 == 1) {
            folder.put(hex(epoch) + ".acknowledged", std::to_string(input.octet()) + "\n");
        } else {
            const uint64_t first = input.octet();
            folder.put(hex(epoch) + "-" + hex(first) + ".spool", segment_of(input, epoch));
        }
    }
    probe::SpoolFolder spool(folder.path());
    std::vector<std::string> problems;
    const std::vector<probe::SpooledRun> runs = spool.left(problems);
    uint64_t records = 0;
    for (const probe::SpooledRun& run : runs) {
        check_run(run);
        records += run.records();
    }
    // Looking changes nothing that is left.
    uint64_t again = 0;
    for (const probe::SpooledRun& run : spool.left(problems)) {
        again += run.records();
    }
    require_ledger(records == again);
    // What was acknowledged is not given again.
    std::map<uint64_t, uint64_t> last;
    for (const probe::SpooledRun& run : runs) {
        last[run.epoch] = std::max(last[run.epoch], run.frames.back().last_sequence);
    }
    for (const auto& [epoch, sequence] : last) {
        require(spool.note(epoch, sequence));
    }
    require_ledger(spool.left(problems).empty());
    return 0;
}

}  // namespace curlew
