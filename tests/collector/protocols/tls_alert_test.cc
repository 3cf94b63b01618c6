#include "collector/protocols/tls_alert.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(TlsAlert){};

TEST(TlsAlert, is_named_or_shown_as_number) {
    STRCMP_EQUAL("warning", alert_level_name(1).c_str());
    STRCMP_EQUAL("fatal", alert_level_name(2).c_str());
    STRCMP_EQUAL("7", alert_level_name(7).c_str());
    STRCMP_EQUAL("close_notify", alert_name(0).c_str());
    STRCMP_EQUAL("handshake_failure", alert_name(40).c_str());
    STRCMP_EQUAL("no_application_protocol", alert_name(120).c_str());
    STRCMP_EQUAL("255", alert_name(255).c_str());
}

}  // namespace curlew::collector
