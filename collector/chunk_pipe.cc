#include "collector/chunk_pipe.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace curlew::collector {

Chunk new_chunk() {
    Chunk chunk(static_cast<char*>(std::aligned_alloc(kChunkAlignment, kChunkOctets)));
    if (!chunk) {
        throw std::bad_alloc();
    }
    return chunk;
}

ChunkPipe::ChunkPipe(Work work) : work_(std::move(work)), filled_(new_chunk()) {}

ChunkPipe::~ChunkPipe() {
    if (thread_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
}

void ChunkPipe::write(std::string_view octets) {
    while (!octets.empty()) {
        const size_t part = std::min(octets.size(), kChunkOctets - used_);
        std::memcpy(filled_.get() + used_, octets.data(), part);
        used_ += part;
        octets.remove_prefix(part);
        // Not before more comes: who has one chunk needs no thread.
        if (used_ == kChunkOctets && !octets.empty()) {
            hand_over();
        }
    }
}

std::string_view ChunkPipe::finish() {
    if (thread_.joinable()) {
        wait_until_idle();
    }
    return {filled_.get(), used_};
}

void ChunkPipe::hand_over() {
    if (thread_.joinable()) {
        wait_until_idle();
    } else {
        worked_on_ = new_chunk();
        thread_ = std::thread([this] { work_until_over(); });
    }
    std::swap(filled_, worked_on_);
    used_ = 0;
    {
        const std::lock_guard lock(mutex_);
        is_waiting_ = true;
    }
    changed_.notify_all();
}

void ChunkPipe::wait_until_idle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_waiting_; });
    if (fault_ != nullptr) {
        std::rethrow_exception(fault_);
    }
}

void ChunkPipe::work_until_over() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return is_waiting_ || over_; });
        if (over_) {
            return;
        }
        lock.unlock();
        std::exception_ptr fault;
        try {
            work_({worked_on_.get(), kChunkOctets});
        } catch (...) {
            fault = std::current_exception();
        }
        lock.lock();
        fault_ = fault;
        is_waiting_ = false;
        changed_.notify_all();
    }
}

}  // namespace curlew::collector
