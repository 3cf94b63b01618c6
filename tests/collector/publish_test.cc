#include "collector/publish.h"

#include <stdexcept>
#include <string>

#include "collector/digest.h"
#include "collector/index.h"
#include "collector/verify.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_GROUP(Publish) {
    TemporaryFolder folder;
    fs::path archive = folder.path();
    DatasetConfig config = dataset_config(archive, "walk");

    uint64_t problems() const {
        return verify_archive(archive, [](const std::string&) {}).problems;
    }
};

TEST(Publish, sealing_again_keeps_what_is_there) {
    const SealResult first = seal_frames(config, frames_of(0, 20));
    const std::string index = content_of(archive / kIndexName);
    const auto written = fs::last_write_time(first.path);
    const SealResult again = seal_frames(config, frames_of(0, 20));
    CHECK(again.already_sealed);
    CHECK(first.path == again.path);
    CHECK(written == fs::last_write_time(first.path));
    CHECK(index == content_of(archive / kIndexName));
    CHECK_FALSE(fs::exists(archive / "any/kitchen/walk.part"));
}

TEST(Publish, a_failure_takes_back_what_it_had_named) {
    // A folder in the way: the manifest cannot be written after the dataset has its name.
    const fs::path in_the_way = archive / "any/kitchen/walk.manifest.json.part";
    fs::create_directories(in_the_way);
    CHECK_THROWS(std::runtime_error, seal_frames(config, frames_of(0, 20)));
    CHECK_FALSE(fs::exists(archive / "any/kitchen/walk.json"));
    CHECK_FALSE(fs::exists(archive / "any/kitchen/walk.manifest.json"));
    CHECK_EQUAL(0, fs::file_size(archive / kIndexName));
    fs::remove(in_the_way);
    CHECK_FALSE(seal_frames(config, frames_of(0, 20)).already_sealed);
}

TEST(Publish, other_content_of_a_name_gets_the_captures_hash) {
    seal_frames(config, frames_of(0, 20));
    config.capture.sha256 = "fedcba98" + std::string(56, '0');
    const SealResult other = seal_frames(config, frames_of(20, 20));
    STRCMP_EQUAL("walk-fedcba98.json", other.path.filename().c_str());
    CHECK(seal_frames(config, frames_of(20, 20)).already_sealed);
    CHECK_EQUAL(0, problems());
}

TEST(Publish, each_configuration_finds_a_name_of_its_own) {
    seal_frames(config, frames_of(0, 20));
    config.fields = FieldSet::slim;
    const SealResult slim = seal_frames(config, frames_of(0, 20));
    STRCMP_EQUAL("walk-00000000.json", slim.path.filename().c_str());
    config.fields = FieldSet::standard;
    const SealResult standard = seal_frames(config, frames_of(0, 20));
    STRCMP_EQUAL(("walk-" + standard.sums.content_sha256.substr(0, 8) + ".json").c_str(),
                 standard.path.filename().c_str());
    config.program_version = "0.1.1";
    const SealResult newer = seal_frames(config, frames_of(0, 20));
    CHECK(newer.path != standard.path);
    config.compress = true;
    CHECK_EQUAL(0, seal_frames(config, frames_of(0, 20)).already_sealed);
    CHECK_EQUAL(0, problems());
}

TEST(Publish, completes_what_a_crash_left_between_its_steps) {
    const SealResult first = seal_frames(config, frames_of(0, 20));
    const std::string index = content_of(archive / kIndexName);
    fs::remove(archive / kIndexName);
    fs::remove(archive / kIndexHeadName);
    CHECK_FALSE(seal_frames(config, frames_of(0, 20)).already_sealed);
    fs::remove(archive / kIndexName);
    fs::remove(archive / kIndexHeadName);
    fs::remove(first.manifest);
    CHECK_FALSE(seal_frames(config, frames_of(0, 20)).already_sealed);
    CHECK(index == content_of(archive / kIndexName));
    CHECK_EQUAL(0, problems());
}

// Two epochs of equal octets: one died between its steps.
TEST(Publish, a_numbered_dataset_without_a_name_is_completed_by_its_own_alone) {
    const fs::path datasets = archive / "any/kitchen";
    fs::create_directories(datasets);
    const fs::path part = folder.path() / "second.part";
    const std::string octets = "{}\n";
    put_content(datasets / "walk-1.json", octets);
    put_content(part, octets);
    const DatasetSums sums{octets.size(), sha256_of(octets), octets.size(), sha256_of(octets)};
    const Published second =
        publish_numbered(config, Encoding::json, part, sums, R"({"manifest":2})");
    CHECK(second.dataset == datasets / "walk-2.json");
    CHECK_FALSE(fs::exists(part));
    CHECK_FALSE(fs::exists(datasets / "walk-1.manifest.json"));
    // Whose part is gone has its name already.
    const Published first = publish_numbered(
        config, Encoding::json, folder.path() / "first.part", sums, R"({"manifest":1})");
    CHECK(first.dataset == datasets / "walk-1.json");
    CHECK_TRUE(fs::exists(first.manifest));
    try {
        publish_numbered(
            config, Encoding::json, folder.path() / "third.part", sums, R"({"manifest":3})");
        FAIL("published what is not there");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("third.part, which becomes it, is gone", error.what());
    }
    CHECK_FALSE(fs::exists(datasets / "walk-3.manifest.json"));
}

TEST(Publish, a_damaged_dataset_is_told_not_replaced) {
    const SealResult first = seal_frames(config, frames_of(0, 20));
    put_content(first.path, "{}\n");
    try {
        seal_frames(config, frames_of(0, 20));
        FAIL("sealed over damage");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("walk.json is not what its manifest says", error.what());
    }
    CHECK(content_of(first.path) == "{}\n");
    CHECK_FALSE(fs::exists(archive / "any/kitchen/walk.part"));
}

}  // namespace curlew::collector
