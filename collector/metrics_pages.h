#pragma once

#include <memory>
#include <string>
#include <string_view>

// The two pages that there are, and the answers to everything else. Only place for cpp-httplib:
// it reads a request and writes the answer, in memory, and sees no socket.

namespace curlew::collector {

struct Page {
    int status = 200;
    std::string body;
};

class MetricsPages {
  public:
    // Asked for a page when a request wants it.
    class Source {
      public:
        virtual ~Source() = default;
        virtual Page metrics() = 0;
        virtual Page health() = 0;
    };

    explicit MetricsPages(Source& source);
    ~MetricsPages();

    // To the first line of a request, without its end; the connection is to be closed after it.
    std::string answer(std::string_view request_line);

  private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace curlew::collector
