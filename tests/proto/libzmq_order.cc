// For builds with the thread sanitizer, which cannot look into libzmq: what a thread did before it
// sent a message has happened before what another does once it has received it or gives its octets
// free. Stands in front of the library's functions and tells the sanitizer so.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>
#include <zmq.h>

#include <memory>

namespace {

// One for all sockets: who receives is ordered behind everything sent so far.
char order;

template <typename Function>
Function* library_function(Function& /*ours*/, const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

struct Release {
    zmq_free_fn* function;
    void* hint;
};

void release_octets(void* octets, void* hint) {
    __tsan_acquire(&order);
    const std::unique_ptr<Release> release(static_cast<Release*>(hint));
    release->function(octets, release->hint);
}

}  // namespace

extern "C" int zmq_msg_send(zmq_msg_t* message, void* socket, int flags) {
    static auto* const send = library_function(zmq_msg_send, "zmq_msg_send");
    __tsan_release(&order);
    return send(message, socket, flags);
}

extern "C" int zmq_msg_recv(zmq_msg_t* message, void* socket, int flags) {
    static auto* const receive = library_function(zmq_msg_recv, "zmq_msg_recv");
    const int octets = receive(message, socket, flags);
    if (octets >= 0) {
        __tsan_acquire(&order);
    }
    return octets;
}

extern "C" int zmq_msg_init_data(
    zmq_msg_t* message, void* octets, size_t count, zmq_free_fn* function, void* hint) {
    static auto* const initialize = library_function(zmq_msg_init_data, "zmq_msg_init_data");
    auto* const release = new Release{function, hint};
    __tsan_release(&order);
    return initialize(message, octets, count, release_octets, release);
}
