//! How properties draw what a dialect asks for.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use gateway_testkit::history::{Ask, Call, Span, Speech, Wants};

use super::{echo, ruling};

/// What a dialect asks for.
pub(super) fn speech() -> impl Strategy<Value = Speech> {
    let ping = |ask| Call { is_consumed: false, asks: vec![Ask::Stamp(None), ask] };
    let heartbeat = prop_oneof![
        2 => Just(ping(Ask::Text(1))),
        1 => Just(ping(Ask::Binary(2))),
        2 => call(),
    ];
    let opened = prop_oneof![2 => Just(Call::default()), 3 => call()];
    let received = prop_oneof![1 => Just(Call::default()), 3 => call()];
    (
        vec(wants(), 0..3),
        vec(opened, 0..3),
        vec(received, 0..5),
        vec(heartbeat, 0..4),
        vec(call(), 0..2),
    )
        .prop_map(|(interest, opened, received, heartbeat, closing)| Speech {
            interest,
            opened,
            received,
            heartbeat,
            closing,
        })
}

fn wants() -> impl Strategy<Value = Wants> {
    prop_oneof![
        4 => Just(Wants::All),
        1 => Just(Wants::Nothing),
        1 => Just(Wants::Texts),
        1 => Just(Wants::Binaries),
        1 => (0..40_u8).prop_map(Wants::TextsUpTo),
        1 => any::<u8>().prop_map(Wants::BinariesUpTo),
    ]
}

/// Up to five things: one more than a call may ask for.
fn call() -> impl Strategy<Value = Call> {
    let count = prop_oneof![4 => 0..3_usize, 3 => 2..5_usize, 1 => Just(5)];
    let asks = count.prop_flat_map(|count| vec(ask(), count));
    (any::<bool>(), asks).prop_map(|(is_consumed, asks)| Call { is_consumed, asks })
}

fn ask() -> impl Strategy<Value = Ask> {
    let length = || prop_oneof![12 => 0..40_u16, 1 => 30_000..=u16::MAX];
    let stamp = prop_oneof![
        4 => Just(None),
        1 => (0..4_u64).prop_map(Some),
        1 => (u64::MAX - 2..=u64::MAX).prop_map(Some),
    ];
    let refuses = ruling().prop_map(Ask::LoginRefused);
    prop_oneof![
        6 => length().prop_map(Ask::Text),
        2 => length().prop_map(Ask::Binary),
        4 => stamp.prop_map(Ask::Stamp),
        4 => Just(Ask::LoginAccepted),
        1 => refuses,
        5 => echo().prop_map(Ask::Pong),
        5 => (span(), option::of(span())).prop_map(|(own, timeout)| Ask::SetHeartbeat(own, timeout)),
        3 => span().prop_map(Ask::ExpectWithin),
        1 => (any::<u8>(), ruling()).prop_map(|(code, ruling)| Ask::Leave(code, ruling)),
        1 => (0..30_u8).prop_map(Ask::ResumeAt),
        1 => Just(Ask::Fail),
    ]
}

/// Whole seconds more often than others.
fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        8 => (1..9_u32).prop_map(|seconds| Span::Millis(seconds * 1_000)),
        2 => (0..90_000_u32).prop_map(Span::Millis),
        1 => any::<u32>().prop_map(Span::Millis),
        1 => any::<u16>().prop_map(Span::Nanos),
        1 => Just(Span::Zero),
        1 => Just(Span::Endless),
    ]
}
