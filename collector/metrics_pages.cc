#include "collector/metrics_pages.h"

#include <httplib.h>
#include <sys/types.h>

#include <algorithm>

namespace curlew::collector {
namespace {

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kTextType = "text/plain; charset=utf-8";
constexpr int kNotFound = 404;
constexpr int kNotAllowed = 405;

// Gives a request and takes what is said to it.
class Memory : public httplib::Stream {
  public:
    explicit Memory(std::string request) : request_(std::move(request)) {}

    bool is_readable() const override { return true; }
    bool is_writable() const override { return true; }
    ssize_t read(char* octets, size_t size) override {
        const size_t taken = request_.copy(octets, size, at_);
        at_ += taken;
        return static_cast<ssize_t>(taken);
    }
    ssize_t write(const char* octets, size_t size) override {
        said_.append(octets, size);
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    socket_t socket() const override { return 0; }

    std::string said() && { return std::move(said_); }

  private:
    std::string request_;
    size_t at_ = 0;
    std::string said_;
};

}  // namespace

class MetricsPages::Server : public httplib::Server {
  public:
    explicit Server(Source& source) : source_(source) {
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& answer) {
            route(request, answer);
            return HandlerResponse::Handled;
        });
    }

    std::string answer(std::string request) {
        Memory memory(std::move(request));
        bool closed = false;
        process_request(memory, true, closed, nullptr);
        return std::move(memory).said();
    }

  private:
    void route(const httplib::Request& request, httplib::Response& answer) {
        const bool wants_metrics = request.path == "/metrics";
        if (!wants_metrics && request.path != "/healthz") {
            answer.status = kNotFound;
        } else if (request.method != "GET") {
            answer.status = kNotAllowed;
            answer.set_header("Allow", "GET");
        } else {
            Page page = wants_metrics ? source_.metrics() : source_.health();
            answer.status = page.status;
            answer.set_content(std::move(page.body), wants_metrics ? kMetricsType : kTextType);
        }
    }

    Source& source_;
};

MetricsPages::MetricsPages(Source& source) : server_(std::make_unique<Server>(source)) {}

MetricsPages::~MetricsPages() = default;

// No header of a request says anything here, and so none is handed on: of those that httplib would
// heed, Range multiplies an answer and Accept-Encoding has it compressed.
std::string MetricsPages::answer(std::string_view request_line) {
    return server_->answer(std::string(request_line) + "\r\n\r\n");
}

}  // namespace curlew::collector
