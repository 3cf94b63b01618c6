#include "probe/block_chain.h"

#include <array>
#include <string>
#include <vector>

#include "tests/support/block_memory.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

struct Blocks {
    explicit Blocks(size_t count) : memory(count) {}

    curlew::tests::BlockMemory memory;
    ChainPool pool{memory.octets()};
};

std::string text_of(const ChainPool& pool, uint32_t head) {
    const std::vector<uint8_t> octets = curlew::tests::chain_octets(pool, head);
    return {octets.begin(), octets.end()};
}

bool append(ChainPool& pool, uint32_t& head, uint32_t& tail, const std::string& text) {
    return append_to_chain(
        pool, head, tail, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

TEST_GROUP(BlockChain){};

TEST(BlockChain, what_is_appended_is_read_in_order) {
    Blocks blocks(4);
    uint32_t head = 0;
    uint32_t tail = 0;
    CHECK_TRUE(append(blocks.pool, head, tail, std::string(100, 'a')));
    CHECK_TRUE(append(blocks.pool, head, tail, std::string(150, 'b')));
    CHECK(std::string(100, 'a') + std::string(150, 'b') == text_of(blocks.pool, head));
    CHECK_EQUAL(1u, blocks.pool.left());
}

TEST(BlockChain, what_does_not_fit_is_left_out_whole) {
    Blocks blocks(2);
    uint32_t head = 0;
    uint32_t tail = 0;
    CHECK_TRUE(append(blocks.pool, head, tail, "ab"));
    CHECK_FALSE(append(blocks.pool, head, tail, std::string(239, 'c')));
    STRCMP_EQUAL("ab", text_of(blocks.pool, head).c_str());
    CHECK_TRUE(append(blocks.pool, head, tail, std::string(238, 'c')));
}

TEST(BlockChain, a_released_chain_gives_its_blocks_back) {
    Blocks blocks(2);
    uint32_t head = 0;
    uint32_t tail = 0;
    append(blocks.pool, head, tail, std::string(200, 'a'));
    CHECK_EQUAL(0u, blocks.pool.left());
    release_chain(blocks.pool, head);
    CHECK_EQUAL(0u, head);
    CHECK_EQUAL(2u, blocks.pool.left());
}

TEST(BlockChain, chains_are_measured_together) {
    Blocks blocks(8);
    std::array<uint32_t, 3> heads{};
    for (size_t i = 0; i < heads.size(); ++i) {
        uint32_t tail = 0;
        append(blocks.pool, heads[i], tail, std::string(i * 150, 'a'));
    }
    std::array<ChainLength, 3> chains;
    for (size_t i = 0; i < heads.size(); ++i) {
        chains[i] = {&blocks.pool, heads[i]};
    }
    measure_chains(chains);
    CHECK_EQUAL(0u, chains[0].octets);
    CHECK_EQUAL(150u, chains[1].octets);
    CHECK_EQUAL(300u, chains[2].octets);
}

TEST(BlockChain, a_block_that_was_given_back_begins_another_chain) {
    Blocks blocks(2);
    uint32_t head = 0;
    uint32_t tail = 0;
    append(blocks.pool, head, tail, std::string(200, 'a'));
    release_chain(blocks.pool, head);
    tail = 0;
    CHECK_TRUE(append(blocks.pool, head, tail, "b"));
    STRCMP_EQUAL("b", text_of(blocks.pool, head).c_str());
    // Nor does one that shall be zero hold what was in it.
    const uint32_t zero = blocks.pool.take();
    for (size_t i = 0; i < kBlockOctets; ++i) {
        CHECK_EQUAL(0, blocks.pool.at(zero)[i]);
    }
}
