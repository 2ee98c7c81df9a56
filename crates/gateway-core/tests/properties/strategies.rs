//! How properties draw plans: weighted so that connections live through whole lives, and are disturbed.

mod speech;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use gateway_testkit::history::{
    Advance, Content, Echo, Fact, LoginKind, Plan, Ruling, Settings, Step, Trouble, Wall, Whose,
};

use self::speech::speech;

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (settings(), any::<u64>(), any::<bool>(), vec(step(), 0..120)).prop_map(
        |(settings, seed, is_punctual, steps)| Plan {
            settings,
            seed,
            is_punctual,
            steps,
            ..Plan::default()
        },
    )
}

/// A plan whose Ticks all come on time.
pub(crate) fn punctual_plan() -> impl Strategy<Value = Plan> {
    plan().prop_map(|plan| Plan { is_punctual: true, ..plan })
}

/// A plan of whole and half seconds, in which deadlines meet and spans are just reached; most of it is one ready stay.
pub(crate) fn coarse_plan() -> impl Strategy<Value = Plan> {
    let step = (coarse_advance(), prop_oneof![4 => fact_of_a_stay(), 1 => fact()])
        .prop_map(|(advance, fact)| Step { advance, fact });
    (settings(), any::<u64>(), any::<bool>(), vec(step, 0..80)).prop_map(
        |(settings, seed, is_punctual, steps)| {
            let settings = coarse(settings);
            let ready = [
                Fact::Connect,
                Fact::ProviderAnswered(Whose::Current),
                Fact::Opened(Whose::Current),
                Fact::LoginAccepted,
            ];
            let ready = ready.map(|fact| Step { advance: Advance::Stay, fact });
            let steps = ready.into_iter().chain(steps).collect();
            Plan { settings, seed, is_punctual, steps, ..Plan::default() }
        },
    )
}

/// A plan of whole and half seconds whose logins are refused again and again, and whose servers close with every kind of code.
pub(crate) fn refused_plan() -> impl Strategy<Value = Plan> {
    let login = |settings: Settings| Settings { login: LoginKind::Message, ..settings };
    let rules =
        vec((prop::sample::select(vec![4_000_u16, 4_001, 4_012, 4_013, 3_000]), ruling()), 0..3);
    let step = (coarse_advance(), prop_oneof![5 => fact_of_a_refusal(), 1 => fact()])
        .prop_map(|(advance, fact)| Step { advance, fact });
    let settings = (settings(), rules, any::<u16>()).prop_map(move |(settings, rules, verdict)| {
        // The verdict of a refusal is drawn with the connect timeout: `coarse` has one for four seconds.
        let connect_timeout = verdict % 8 * 1_000 + 999;
        Settings { rules, connect_timeout, ..login(coarse(settings)) }
    });
    (settings, any::<u64>(), any::<bool>(), vec(step, 0..80)).prop_map(
        |(settings, seed, is_punctual, steps)| Plan {
            settings,
            seed,
            is_punctual,
            steps,
            ..Plan::default()
        },
    )
}

/// A plan of whole and half seconds whose attempts all ask a provider, which answers, fails, or hangs.
pub(crate) fn asking_plan() -> impl Strategy<Value = Plan> {
    let step = (coarse_advance(), prop_oneof![5 => fact_of_an_attempt(), 1 => fact()])
        .prop_map(|(advance, fact)| Step { advance, fact });
    (settings(), any::<u64>(), any::<bool>(), vec(step, 0..80)).prop_map(
        |(settings, seed, is_punctual, steps)| {
            let settings = Settings { asks_provider: true, ..coarse(settings) };
            Plan { settings, seed, is_punctual, steps, ..Plan::default() }
        },
    )
}

/// A plan of whole and half seconds with a dialect that asks for anything; most of it is one ready stay.
pub(crate) fn spoken_plan() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![3 => Just(Some(3_u8)), 1 => Just(None)];
    let login = prop_oneof![
        1 => Just(None),
        1 => Just(Some(LoginKind::Dialect)),
        1 => Just(Some(LoginKind::Message)),
        1 => Just(Some(LoginKind::MessageToDialect)),
        2 => Just(Some(LoginKind::None)),
    ];
    let plans = prop_oneof![2 => coarse_plan().boxed(), 1 => plan().boxed()];
    (plans, speech(), kind, login).prop_map(|(plan, speech, kind, login)| {
        let Settings { heartbeat, login: own, .. } = plan.settings;
        let (heartbeat, login) = (kind.unwrap_or(heartbeat), login.unwrap_or(own));
        Plan { settings: Settings { heartbeat, login, ..plan.settings }, speech, ..plan }
    })
}

/// A plan with or without a dialect.
pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    prop_oneof![plan().boxed(), spoken_plan().boxed()]
}

/// What happens to an attempt before its socket is ready.
fn fact_of_an_attempt() -> impl Strategy<Value = Fact> {
    prop_oneof![
        4 => Just(Fact::Connect),
        6 => whose().prop_map(Fact::ProviderAnswered),
        4 => open_reserved(),
        3 => (whose(), ruling()).prop_map(|(whose, ruling)| Fact::ProviderFailed(whose, ruling)),
        4 => whose().prop_map(Fact::Opened),
        2 => (whose(), trouble()).prop_map(|(whose, trouble)| Fact::OpenFailed(whose, trouble)),
        4 => Just(Fact::Reconnect),
        4 => Just(Fact::Tick),
        2 => coarse_wall().prop_map(Fact::Wall),
        1 => Just(Fact::Online),
        1 => Just(Fact::Next),
        1 => content().prop_map(Fact::Send),
        1 => any::<u8>().prop_map(Fact::Close),
    ]
}

/// What leads to a refused login, and what may follow it.
fn fact_of_a_refusal() -> impl Strategy<Value = Fact> {
    let frame = |content| Fact::Frame(Whose::Current, content);
    let close = prop_oneof![
        Just(None),
        // 1000, 1001, those that may soften, and one that nobody knows.
        prop::sample::select(vec![0_u16, 1, 12, 13, 14, 3_000]).prop_map(Some),
    ];
    prop_oneof![
        4 => Just(Fact::Connect),
        6 => Just(Fact::Opened(Whose::Current)),
        2 => Just(Fact::ProviderAnswered(Whose::Current)),
        2 => Just(Fact::OpenReserved(0)),
        6 => Just(frame(Content::Refused)),
        1 => Just(frame(Content::Welcome)),
        3 => close.prop_map(move |code| frame(Content::Close(code))),
        4 => Just(Fact::Tick),
        1 => Just(frame(Content::Data)),
        1 => any::<u8>().prop_map(|failure| Fact::Failed(Whose::Current, failure)),
        1 => ruling().prop_map(Fact::LoginRejected),
        1 => coarse_wall().prop_map(Fact::Wall),
        1 => Just(Fact::Reconnect),
        1 => content().prop_map(Fact::Send),
        1 => any::<u8>().prop_map(Fact::Close),
    ]
}

/// The spans as whole seconds, from one to eight: a setting's span is a millisecond longer than its number.
fn coarse(settings: Settings) -> Settings {
    let seconds = |millis: u16| millis % 8 * 1_000 + 999;
    Settings {
        initial_delay: seconds(settings.initial_delay),
        longer_by: settings.longer_by % 8 * 1_000,
        stable_after: seconds(settings.stable_after),
        spread: settings.spread % 8 * 1_000,
        interval: seconds(settings.interval),
        timeout: seconds(settings.timeout),
        connect_timeout: seconds(settings.connect_timeout),
        connect_longer_by: settings.connect_longer_by % 16 * 1_000,
        close_timeout: seconds(settings.close_timeout),
        data_timeout: settings.data_timeout.map(seconds),
        renew_after: settings.renew_after.map(seconds),
        attempt_timeout: seconds(settings.attempt_timeout),
        ..settings
    }
}

fn coarse_advance() -> impl Strategy<Value = Advance> {
    let halves = |most: u16| (0..most).prop_map(|halves| halves * 500);
    prop_oneof![
        4 => Just(Advance::Stay),
        6 => halves(10).prop_map(Advance::Millis),
        1 => prop_oneof![Just(29_500), Just(30_000)].prop_map(Advance::Millis),
        4 => Just(Advance::ToDeadline),
        1 => Just(Advance::JustBeforeDeadline),
        1 => halves(8).prop_map(Advance::PastDeadline),
    ]
}

/// What happens to a connection that is ready, again and again; and what makes it so.
fn fact_of_a_stay() -> impl Strategy<Value = Fact> {
    prop_oneof![
        6 => Just(Fact::Next),
        3 => Just(Fact::Opened(Whose::Current)),
        1 => Just(Fact::ProviderAnswered(Whose::Current)),
        1 => Just(Fact::OpenReserved(0)),
        8 => Just(Fact::Tick),
        4 => Just(Fact::Paused(Whose::Current)),
        5 => Just(Fact::Resumed(Whose::Current)),
        4 => Just(Fact::Bytes(Whose::Current)),
        2 => content().prop_map(|content| Fact::Frame(Whose::Current, content)),
        1 => any::<u8>().prop_map(|failure| Fact::Failed(Whose::Current, failure)),
        3 => coarse_wall().prop_map(Fact::Wall),
        1 => Just(Fact::Online),
        1 => Just(Fact::Reconnect),
        2 => Just(Fact::Drained(Whose::Current)),
        1 => content().prop_map(Fact::Send),
        5 => ping_on_its_way(),
    ]
}

/// What a driver reports of the newest ping.
fn ping_on_its_way() -> impl Strategy<Value = Fact> {
    let bytes = || prop_oneof![Just(0_u32), 0..200_000_u32, any::<u32>()];
    let idle = prop_oneof![2 => Just(0_u16), 1 => (0..8_u16).prop_map(|seconds| seconds * 1_000)];
    prop_oneof![
        3 => (whose(), bytes(), idle).prop_map(|(whose, bytes, idle)| {
            Fact::PingHeld(whose, bytes, idle)
        }),
        2 => whose().prop_map(Fact::WriteProgressed),
        2 => (whose(), bytes()).prop_map(|(whose, bytes)| Fact::PingHanded(whose, bytes)),
    ]
}

/// Ahead by just so much as is no suspend where the interval is short, by a little more, by much more.
fn coarse_wall() -> impl Strategy<Value = Wall> {
    prop_oneof![
        Just(Wall::Even),
        prop_oneof![Just(30_000), Just(30_001), Just(60_000)].prop_map(Wall::Ahead),
    ]
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let reconnect = (
        any::<u16>(),
        0..200_000_u32,
        0..9_000_u16,
        any::<u8>(),
        option::weighted(0.3, 0..6_u8),
        any::<u16>(),
        0..600_000_u32,
        option::weighted(0.3, any::<(u16, u16, bool)>()),
        prop_oneof![2 => Just(0_u32), 1 => 0..200_000_u32],
    );
    let heartbeat = (
        prop_oneof![4 => Just(0_u8), 2 => Just(1), 1 => Just(2), 1 => Just(3)],
        any::<u16>(),
        any::<u16>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let rules = vec((any::<u16>(), ruling()), 0..4);
    let rare = || option::weighted(0.3, any::<u16>());
    let asks_provider = prop::bool::weighted(0.3);
    let shares_budget = prop::bool::weighted(0.3);
    let attempts = (asks_provider, any::<u16>(), shares_budget);
    let longer_by = prop_oneof![Just(0), 0..600_000_u32];
    let connect = (any::<u16>(), longer_by);
    let rest = (login(), rules, connect, any::<u16>(), rare(), rare(), attempts);
    (reconnect, heartbeat, rest).prop_map(|(reconnect, heartbeat, rest)| Settings {
        initial_delay: reconnect.0,
        longer_by: reconnect.1,
        multiplier: reconnect.2,
        strategy: reconnect.3,
        max_attempts: reconnect.4,
        stable_after: reconnect.5,
        retry_after_max: reconnect.6,
        uniform: reconnect.7,
        spread: reconnect.8,
        heartbeat: heartbeat.0,
        interval: heartbeat.1,
        timeout: heartbeat.2,
        is_strict: heartbeat.3,
        has_phase: heartbeat.4,
        delivers_pongs: heartbeat.5,
        answers_pings: heartbeat.6,
        login: rest.0,
        rules: rest.1,
        connect_timeout: rest.2.0,
        connect_longer_by: rest.2.1,
        close_timeout: rest.3,
        data_timeout: rest.4,
        renew_after: rest.5,
        asks_provider: rest.6.0,
        attempt_timeout: rest.6.1,
        shares_budget: rest.6.2,
    })
}

fn login() -> impl Strategy<Value = LoginKind> {
    prop_oneof![
        3 => Just(LoginKind::None),
        2 => Just(LoginKind::Message),
        1 => Just(LoginKind::MessageWithoutRules),
        1 => Just(LoginKind::External),
        1 => Just(LoginKind::Dialect),
        1 => Just(LoginKind::MessageToDialect),
    ]
}

fn ruling() -> impl Strategy<Value = Ruling> {
    prop_oneof![
        Just(Ruling::Retry),
        any::<u16>().prop_map(Ruling::NoSoonerThan),
        Just(Ruling::Refresh),
        Just(Ruling::Fatal),
    ]
}

/// An open in the shared budget, at once or later.
fn open_reserved() -> impl Strategy<Value = Fact> {
    let coarse = (0..16_u16).prop_map(|halves| halves * 500);
    prop_oneof![2 => Just(0), 2 => coarse, 1 => any::<u16>()].prop_map(Fact::OpenReserved)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    (advance(), fact()).prop_map(|(advance, fact)| Step { advance, fact })
}

fn advance() -> impl Strategy<Value = Advance> {
    prop_oneof![
        4 => Just(Advance::Stay),
        1 => any::<u16>().prop_map(Advance::Nanos),
        6 => any::<u16>().prop_map(Advance::Millis),
        1 => (0..400_000_000_u32).prop_map(Advance::Long),
        6 => Just(Advance::ToDeadline),
        2 => Just(Advance::JustBeforeDeadline),
        2 => any::<u16>().prop_map(Advance::PastDeadline),
        1 => any::<u32>().prop_map(Advance::Back),
    ]
}

/// Any instant at all, the last included.
pub(crate) fn leap() -> impl Strategy<Value = Advance> {
    prop_oneof![
        3 => advance(),
        1 => any::<u64>().prop_map(Advance::Leap),
        1 => (u64::MAX - 100_000_000_000..=u64::MAX).prop_map(Advance::Leap),
        1 => Just(Advance::Leap(u64::MAX)),
    ]
}

pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        10 => Just(Fact::Next),
        6 => Just(Fact::Tick),
        2 => Just(Fact::Connect),
        1 => Just(Fact::Reconnect),
        1 => whose().prop_map(Fact::Drained),
        2 => whose().prop_map(Fact::ProviderAnswered),
        2 => open_reserved(),
        1 => (whose(), ruling()).prop_map(|(whose, ruling)| Fact::ProviderFailed(whose, ruling)),
        1 => any::<u8>().prop_map(Fact::Close),
        3 => content().prop_map(Fact::Send),
        1 => Just(Fact::LoginAccepted),
        1 => ruling().prop_map(Fact::LoginRejected),
        2 => whose().prop_map(Fact::Opened),
        2 => (whose(), trouble()).prop_map(|(whose, trouble)| Fact::OpenFailed(whose, trouble)),
        2 => (whose(), any::<u8>()).prop_map(|(whose, failure)| Fact::Failed(whose, failure)),
        6 => (whose(), content()).prop_map(|(whose, content)| Fact::Frame(whose, content)),
        2 => whose().prop_map(Fact::Bytes),
        1 => whose().prop_map(Fact::WriteBlocked),
        1 => whose().prop_map(Fact::Flushed),
        2 => whose().prop_map(Fact::Paused),
        2 => whose().prop_map(Fact::Resumed),
        3 => wall().prop_map(Fact::Wall),
        1 => Just(Fact::Online),
        1 => Just(Fact::Offline),
        3 => ping_on_its_way(),
    ]
}

pub(crate) fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        10 => Just(Whose::Current),
        2 => (0..4_u8).prop_map(Whose::Older),
        1 => Just(Whose::Never),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        2 => any::<u8>().prop_map(Trouble::Network),
        1 => any::<u16>().prop_map(Trouble::Http),
        2 => (statuses(), 0..1_000_u32).prop_map(|(s, after)| Trouble::HttpRetryAfter(s, after)),
        2 => (statuses(), -9_999..999_999_i32).prop_map(|(s, at)| Trouble::HttpRetryAt(s, at)),
        1 => Just(Trouble::Configuration),
    ]
}

/// 401, 429 and 503, less the 100 that are added.
fn statuses() -> impl Strategy<Value = u16> {
    prop_oneof![Just(301_u16), Just(329), Just(403)]
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => Just(Content::Data),
        2 => any::<u8>().prop_map(Content::Binary),
        4 => (echo(), any::<u8>()).prop_map(|(echo, style)| Content::Pong(echo, style)),
        1 => any::<Option<u64>>().prop_map(Content::PeerPing),
        1 => Just(Content::WebSocketPing),
        1 => echo().prop_map(Content::WebSocketPong),
        2 => Just(Content::Welcome),
        1 => Just(Content::Refused),
        1 => any::<Option<u16>>().prop_map(Content::Close),
        1 => ".{0,40}".prop_map(Content::Text),
    ]
}

fn echo() -> impl Strategy<Value = Echo> {
    prop_oneof![
        3 => Just(Echo::None),
        3 => Just(Echo::Newest),
        2 => any::<u64>().prop_map(Echo::Other),
        1 => (0..6_u64).prop_map(Echo::Other), // an older ping frame's number
    ]
}

fn wall() -> impl Strategy<Value = Wall> {
    prop_oneof![
        4 => Just(Wall::Even),
        2 => any::<u32>().prop_map(Wall::Ahead),
        1 => any::<u32>().prop_map(Wall::Back),
        1 => any::<u64>().prop_map(Wall::At),
    ]
}
