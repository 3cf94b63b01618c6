#include "collector/label_overlay.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "collector/digest.h"
#include "collector/verify.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> split_lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

}  // namespace

TEST_GROUP(LabelOverlay) {
    TemporaryFolder folder;
    fs::path manifest;
    OverlaidDataset dataset;

    void setup() override {
        const SealResult sealed =
            seal_frames(dataset_config(folder.path(), "walk"), frames_of(1, 5));
        manifest = sealed.manifest;
        dataset = {sealed.path, Encoding::json, sealed.sums.content_sha256};
    }

    uint64_t problems() const {
        return verify_archive(folder.path(), [](const std::string&) {}).problems;
    }
};

TEST(LabelOverlay, by_the_same_rules_nothing_changes) {
    const LabelFixture same;
    const OverlaySummary summary = write_overlay(manifest, same.group, same.content);
    CHECK_EQUAL(5, summary.records);
    CHECK_EQUAL(0, summary.changed);
    CHECK(summary.differences.empty());
    STRCMP_EQUAL("", check_overlay(summary.file, dataset).c_str());
    CHECK_EQUAL(0, problems());
    dataset.content_sha256 = "00";
    STRCMP_EQUAL("it is of another dataset", check_overlay(summary.file, dataset).c_str());
}

TEST(LabelOverlay, one_writes_it_at_a_time) {
    const LabelFixture same;
    const fs::path part = folder.path() / "any/kitchen/walk.labels.part";
    {
        const FileDescriptor writer = open_locked(part);
        CHECK_THROWS(std::runtime_error, write_overlay(manifest, same.group, same.content));
        CHECK(fs::exists(part));
    }
    write_overlay(manifest, same.group, same.content);
    CHECK_FALSE(fs::exists(part));
}

TEST(LabelOverlay, is_not_that_of_other_signatures) {
    const LabelFixture same;
    const fs::path file = write_overlay(manifest, same.group, same.content).file;
    const fs::path other = file.parent_path() / "walk.labels-0123456789abcdef.json";
    fs::rename(file, other);
    STRCMP_EQUAL("it is of other signatures than its name says",
                 check_overlay(other, dataset).c_str());
    CHECK_EQUAL(1, problems());
}

TEST(LabelOverlay, by_others_what_changes_is_told) {
    const LabelFixture other(
        any_group(), field_signature("tcp", "ip.protocol", "6|17", "protocol = 'something'"));
    const OverlaySummary summary = write_overlay(manifest, other.group, other.content);
    CHECK_EQUAL(5, summary.changed);
    CHECK_EQUAL(5, summary.differences.at("type unknown -> something"));
    CHECK_EQUAL(5, summary.differences.at("evidence none -> field"));
}

TEST(LabelOverlay, a_changed_octet_is_found_wherever_it_is) {
    const LabelFixture same;
    const fs::path file = write_overlay(manifest, same.group, same.content).file;
    const std::string whole = content_of(file);
    for (size_t at = 0; at < whole.size(); at += 97) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        put_content(file, changed);
        CHECK_EQUAL(1, problems());
    }
    put_content(file, whole);
    CHECK_EQUAL(0, problems());
}

TEST(LabelOverlay, whose_sum_holds_has_a_label_for_each_record_in_order) {
    const LabelFixture same;
    const fs::path file = write_overlay(manifest, same.group, same.content).file;
    std::vector<std::string> lines = split_lines(content_of(file));
    CHECK_EQUAL(7u, lines.size());
    const auto wrong_with = [&](std::vector<std::string> changed) {
        changed.pop_back();
        std::string text;
        for (const std::string& line : changed) {
            text += line + "\n";
        }
        put_content(file, text + "{\"sha256\":\"" + sha256_of(text) + "\"}\n");
        return check_overlay(file, dataset);
    };
    STRCMP_EQUAL("", wrong_with(lines).c_str());
    const char* const kOthers =
        "its lines are not the dataset's records, each once and in their order";
    auto changed = lines;
    changed.erase(changed.begin() + 2);
    STRCMP_EQUAL(kOthers, wrong_with(changed).c_str());
    changed.insert(changed.begin() + 2, changed[1]);
    STRCMP_EQUAL(kOthers, wrong_with(changed).c_str());
    changed = lines;
    std::swap(changed[1], changed[2]);
    STRCMP_EQUAL(kOthers, wrong_with(changed).c_str());
    for (const std::string& none : {std::string("{}"),
                                    std::string("{\"record\":0,\"label\":{}}"),
                                    std::string("{\"flow_id\":\"1-00\",\"label\":{}}"),
                                    std::string("{\"flow_id\":\"1-00\",\"record\":0}"),
                                    std::string("{\"flow_id\":\"1-00\",\"record\":0,\"label\":1}"),
                                    std::string("[")}) {
        changed = lines;
        changed[3] = none;
        STRCMP_EQUAL("line 4 is no record's label", wrong_with(changed).c_str());
    }
}

TEST(LabelOverlay, that_is_no_file_is_not_waited_for) {
    const LabelFixture same;
    const fs::path file = write_overlay(manifest, same.group, same.content).file;
    fs::rename(file, folder.path() / "aside");
    fs::create_symlink(folder.path() / "aside", file);
    CHECK_EQUAL(2, problems());  // what lies aside, too
    fs::remove(file);
    CHECK_EQUAL(0, mkfifo(file.c_str(), 0600));
    CHECK_EQUAL(2, problems());
}

TEST(LabelOverlay, a_line_that_is_no_record_is_told_however_deep_it_is) {
    const LabelFixture same;
    put_content(folder.path() / "any/kitchen/walk.json", std::string(2'000'000, '[') + "\n");
    try {
        write_overlay(manifest, same.group, same.content);
        FAIL("it was taken");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("walk.json: line 1 is no record", error.what());
    }
}

TEST(LabelOverlay, of_a_manifest_that_is_none_there_is_none) {
    put_content(manifest, "{}");
    const LabelFixture same;
    CHECK_THROWS(std::runtime_error, write_overlay(manifest, same.group, same.content));
    CHECK_FALSE(fs::exists(folder.path() / "any/kitchen/walk.labels.part"));
}

}  // namespace curlew::collector
