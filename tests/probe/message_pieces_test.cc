#include "probe/message_pieces.h"

#include <vector>

#include "tests/support/block_memory.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

StoredPiece piece_with(uint8_t flags) {
    return {MessageKind::dns, flags, 3, 0, 0, {0x0102, 0x0304, 0x0506}};
}

}  // namespace

TEST_GROUP(MessagePieces) {
    BlockMemory memory{600};
    ChainPool pool{memory.octets()};
    MessagePieces pieces{};
};

TEST(MessagePieces, a_piece_is_its_header_and_its_octets) {
    const std::vector<uint8_t> octets{7, 8, 9};
    CHECK(PutResult::kept == put_piece(pool, pieces, piece_with(kPieceBegins), octets));
    const std::vector<uint8_t> expected{1, kPieceBegins, 3, 0, 3, 0, 2, 1, 4, 3, 6, 5, 7, 8, 9};
    CHECK(expected == chain_octets(pool, pieces.head));
    CHECK_EQUAL(15u, pieces.octets);
    CHECK_EQUAL(1u, pieces.messages);
}

TEST(MessagePieces, octets_are_bounded_and_nothing_follows_what_was_refused) {
    const std::vector<uint8_t> most(kMaximumMessageOctets - 16, 1);
    CHECK(PutResult::kept == put_piece(pool, pieces, piece_with(kPieceBegins), most));
    const std::vector<uint8_t> five(5, 2);
    CHECK(PutResult::over_bound == put_piece(pool, pieces, piece_with(0), five));
    CHECK(PutResult::over_bound == put_piece(pool, pieces, piece_with(0), {}));
}

TEST(MessagePieces, messages_are_bounded) {
    for (int i = 0; i < kMaximumMessages; ++i) {
        CHECK(PutResult::kept == put_piece(pool, pieces, piece_with(kPieceBegins), {}));
    }
    CHECK(PutResult::over_bound == put_piece(pool, pieces, piece_with(kPieceBegins), {}));
}

TEST(MessagePieces, an_empty_pool_keeps_neither_header_nor_octets) {
    BlockMemory little{2};
    ChainPool small{little.octets()};
    const std::vector<uint8_t> octets(300, 1);
    CHECK(PutResult::no_block == put_piece(small, pieces, piece_with(kPieceBegins), octets));
    CHECK_EQUAL(0u, pieces.head);
    CHECK_EQUAL(2u, small.left());
}

TEST(MessagePieces, a_message_is_copied_out_of_its_pieces) {
    const StoredPiece theirs{MessageKind::dns, kPieceBegins | kPieceFromHigh, 0, 0, 0, {}};
    put_piece(pool, pieces, piece_with(kPieceBegins), std::vector<uint8_t>(117, 1));
    put_piece(pool, pieces, theirs, std::vector<uint8_t>(300, 2));
    put_piece(pool, pieces, piece_with(0), std::vector<uint8_t>(50, 3));
    std::vector<uint8_t> room(200, 9);
    CHECK_EQUAL(167u, copy_message(pool, pieces, MessageKind::dns, false, 0, room));
    std::vector<uint8_t> expected(117, 1);
    expected.resize(167, 3);
    expected.resize(200, 9);
    CHECK(expected == room);
    CHECK_EQUAL(200u, copy_message(pool, pieces, MessageKind::dns, true, 0, room));
    CHECK_EQUAL(0u, copy_message(pool, pieces, MessageKind::tls, false, 0, room));
}

TEST(MessagePieces, a_message_is_found_by_how_many_ended_before_it) {
    std::vector<uint8_t> room(200);
    // The end of one whose beginning went with the record before.
    put_piece(pool, pieces, piece_with(kPieceEnds), std::vector<uint8_t>(10, 1));
    put_piece(pool, pieces, piece_with(kPieceBegins), std::vector<uint8_t>(20, 2));
    put_piece(pool, pieces, piece_with(kPieceEnds), std::vector<uint8_t>(30, 3));
    put_piece(pool, pieces, piece_with(kPieceBegins), std::vector<uint8_t>(40, 4));
    CHECK_EQUAL(2u, count_ended(pool, pieces, MessageKind::dns, false));
    CHECK_EQUAL(0u, count_ended(pool, pieces, MessageKind::dns, true));
    CHECK_EQUAL(0u, copy_message(pool, pieces, MessageKind::dns, false, 0, room));
    CHECK_EQUAL(50u, copy_message(pool, pieces, MessageKind::dns, false, 1, room));
    CHECK_EQUAL(2, room[19]);
    CHECK_EQUAL(3, room[20]);
    CHECK_EQUAL(40u, copy_message(pool, pieces, MessageKind::dns, false, 2, room));
    CHECK_EQUAL(0u, copy_message(pool, pieces, MessageKind::dns, false, 3, room));
}

TEST(MessagePieces, a_new_record_begins_with_nothing) {
    put_piece(pool, pieces, piece_with(kPieceBegins), std::vector<uint8_t>(500, 1));
    pieces.full = 1;
    release_pieces(pool, pieces);
    CHECK_EQUAL(600u, pool.left());
    CHECK(PutResult::kept == put_piece(pool, pieces, piece_with(kPieceBegins), {}));
}
