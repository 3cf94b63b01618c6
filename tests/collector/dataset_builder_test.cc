#include "collector/dataset_builder.h"

#include "tests/collector/dataset_fixture.h"
#include "tests/collector/joy_records.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

namespace fs = std::filesystem;

TEST_GROUP(DatasetBuilder) {
    TemporaryFolder folder;
    DatasetConfig config = dataset_config(folder.path(), "walk");
    LabelFixture labels;
    fs::path part = folder.path() / "walk.part";
};

TEST(DatasetBuilder, writes_what_it_is_given_and_counts_it) {
    DatasetBuilder builder(config, labels.rules(), labels.memory, part);
    builder.write(numbered_flow(1).SerializeAsString());
    builder.write(numbered_flow(2).SerializeAsString());
    SealResult result;
    builder.finish(result);
    CHECK_EQUAL(2, result.records.written);
    CHECK_EQUAL(2, result.records_written);
    CHECK_EQUAL(2, result.flow_types.at("unknown"));
    CHECK_EQUAL(2, result.labels.at("unknown"));
    CHECK_EQUAL(2, result.evidence.at("none"));
    CHECK_EQUAL(fs::file_size(part), result.sums.octets);
}

TEST(DatasetBuilder, labels_first_records_of_joy_and_leaves_all_as_joy_wrote_them) {
    config.preset = kJoyPreset;
    for (const RecordChoice records : {RecordChoice::all, RecordChoice::first}) {
        config.records = records;
        DatasetBuilder builder(config, labels.rules(), labels.memory, part);
        builder.write(joy_flow().SerializeAsString());
        SealResult result;
        builder.finish(result);
        CHECK_EQUAL(1, result.flow_types.at("unknown"));
        const std::string line = tests::content_of(part);
        CHECK_EQUAL(records == RecordChoice::first,
                    line.find("\"flow_type\":\"unknown\"}") != std::string::npos);
        CHECK_EQUAL(records == RecordChoice::first, line.find("flow_type") != std::string::npos);
    }
}

TEST(DatasetBuilder, encodes_as_configured) {
    CHECK(DatasetBuilder::encoding_of(config) == Encoding::json);
    config.compress = true;
    CHECK(DatasetBuilder::encoding_of(config) == Encoding::json_zstd);
}

TEST_GROUP(PartFile) {
    TemporaryFolder folder;
    fs::path path = folder.path() / "walk.part";

    void setup() override {
        put_content(path, "half");
    }
};

TEST(PartFile, is_gone_in_the_end) {
    { const PartFile part(path); }
    CHECK_FALSE(fs::exists(path));
}

TEST(PartFile, anothers_under_its_name_stays) {
    {
        const PartFile part(path);
        fs::rename(path, folder.path() / "walk.json");
        put_content(path, "another's");
    }
    STRCMP_EQUAL("another's", content_of(path).c_str());
    STRCMP_EQUAL("half", content_of(folder.path() / "walk.json").c_str());
}

TEST(PartFile, what_was_not_there_before_is_its_own) {
    fs::remove(path);
    {
        const PartFile part(path);
        put_content(path, "new");
    }
    CHECK_FALSE(fs::exists(path));
}

TEST(PartFile, stays_when_it_is_kept_and_has_one_owner) {
    {
        PartFile part(path);
        const PartFile other(std::move(part));
        CHECK(fs::exists(path));
        CHECK(other.path() == path);
    }
    CHECK_FALSE(fs::exists(path));
    put_content(path, "half");
    {
        PartFile part(path);
        part.keep();
    }
    CHECK(fs::exists(path));
}

}  // namespace curlew::collector
