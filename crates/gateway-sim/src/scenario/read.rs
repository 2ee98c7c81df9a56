//! Reads a whole scenario, and checks what depends on several fields.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Config, ConfigBuilder, ConfigError, ConfigErrors, HeartbeatKind, Login};
use toml::{Table, Value};

use super::reader::{PPM, Read, Reader, multiple, number, share, show, span, text, word};
use super::{
    Admission, Balance, Crash, Distribution, Group, Network, Order, Resets, Scenario, Server,
    Stage, Start, WhenFull, faults,
};

/// The longest simulation: a week. Every millisecond of it is visited.
const HORIZON_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
const CLIENTS: u64 = 10_000_000;
const ROWS: u64 = 1_000_000;
const NODES: u64 = 10_000;
/// The most workers of a stage on all nodes together. Each of them takes memory.
const WORKERS: u64 = 10_000_000;
const GROUPS: usize = 1_000;
const QUEUE: u64 = 100_000_000;
/// What an entry of a client that has left costs at most, in service times.
const DEAD_WORK: u32 = 10;
pub(crate) const RATE: u64 = 10_000_000;
/// The longest span of a part: an hour.
pub(super) const SPAN_MS: u64 = 60 * 60 * 1_000;

const STARTS: &[(&str, Start)] = &[("ready", Start::Ready), ("cold", Start::Cold)];
const BALANCES: &[(&str, Balance)] =
    &[("round-robin", Balance::RoundRobin), ("least", Balance::Least), ("random", Balance::Random)];
const ORDERS: &[(&str, Order)] = &[("fifo", Order::Fifo), ("lifo", Order::Lifo)];
const FULL: &[(&str, WhenFull)] = &[("refuse", WhenFull::Refuse), ("drop-syn", WhenFull::DropSyn)];
const DISTRIBUTIONS: &[(&str, Distribution)] =
    &[("uniform", Distribution::Uniform), ("exponential", Distribution::Exponential)];
const RESETS: &[(&str, Resets)] = &[("stable", Resets::WhenStable), ("open", Resets::OnOpen)];

pub(super) fn scenario(
    source: &Table,
    mut errors: Vec<ConfigError>,
) -> Result<Scenario, ConfigErrors> {
    let mut root = Reader::new("", Some(Value::Table(source.clone())), &mut errors);
    let name = root.read("name", text, "unnamed".to_owned());
    let seed = root.read("seed", number(0, i64::MAX as u64), 1);
    let horizon_ms = root.read("horizon", span(1, HORIZON_MS), 600_000);
    let step_ms = root.read("step", span(1, HORIZON_MS), 1_000);
    if horizon_ms / step_ms > ROWS {
        let limit = format!("must be long enough that the curve has at most {ROWS} rows");
        root.error("step", &format!("{step_ms}ms"), &limit);
    }
    let start = root.read("start", word(STARTS), Start::Ready);
    let measure_from_ms = root.optional("measure_from", span(0, horizon_ms));
    let clients = root.optional("clients", number(1, CLIENTS));
    let has_clients = source.contains_key("clients");
    let (server, network) = (root.take("server"), root.take("network"));
    let (groups, faults) = (root.take("groups"), root.take("faults"));
    root.finish();
    let server = read_server(server, &mut errors);
    let network = read_network(network, &mut errors);
    let (groups, clients) =
        read_groups(groups, clients, has_clients, server.login.is_some(), &mut errors);
    let faults = faults::read(faults, horizon_ms, server.nodes, &mut errors);
    ConfigErrors::check(errors)?;
    Ok(Scenario {
        source: source.clone(),
        name,
        seed,
        clients,
        horizon_ms,
        step_ms,
        start,
        measure_from_ms,
        server,
        network,
        groups,
        faults,
    })
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn read_server(value: Option<Value>, errors: &mut Vec<ConfigError>) -> Server {
    let mut reader = Reader::new("server", value, errors);
    let nodes = reader.read("nodes", number(1, NODES), 1);
    let balance = reader.read("balance", word(BALANCES), Balance::RoundRobin);
    let health = reader.read("health", span(0, SPAN_MS), 0);
    let dead_work_ppm = reader.read("dead_work", multiple(DEAD_WORK), PPM);
    let accept = reader.take("accept");
    let login = reader.take("login");
    let crash = reader.take("crash");
    let admission = reader.take("admission");
    reader.finish();
    Server {
        nodes: u32::try_from(nodes).unwrap_or(1),
        balance,
        health: millis(health),
        accept: read_stage("server.accept", accept, nodes, errors),
        login: login.map(|login| read_stage("server.login", Some(login), nodes, errors)),
        dead_work_ppm,
        crash: crash.map(|crash| read_crash(crash, errors)),
        admission: admission.map(|admission| read_admission(admission, errors)),
    }
}

/// A stage has either a capacity, or workers with a service time.
fn read_stage(
    path: &'static str,
    value: Option<Value>,
    nodes: u64,
    errors: &mut Vec<ConfigError>,
) -> Stage {
    let mut reader = Reader::new(path, value, errors);
    let has_capacity = reader.has("capacity");
    let has_service = reader.has("service");
    let has_workers = reader.has("workers");
    let capacity = reader.read("capacity", number(1, RATE), 1_000);
    let service = reader.read("service", service, 1_000_000);
    let workers = reader.read("workers", number(1, 100_000), 1);
    if has_capacity == has_service {
        reader.error("capacity", "", "must be set, or else service must be set, and not both");
    }
    if has_capacity && has_workers {
        reader.error("workers", &workers.to_string(), "must be set together with service");
    }
    if workers * nodes > WORKERS {
        let limit = format!("must be at most {WORKERS} on all nodes together");
        reader.error("workers", &workers.to_string(), &limit);
    }
    let service_ns = if has_service { service } else { 1_000_000_000 / capacity };
    let queue = reader.read("queue", queue, Queue::Entries(1_000_000));
    let queue = match queue {
        Queue::Entries(entries) => entries,
        Queue::Span(span_ms) => {
            let entries =
                u128::from(span_ms) * 1_000_000 * u128::from(workers) / u128::from(service_ns);
            u64::try_from(entries).unwrap_or(u64::MAX).clamp(1, QUEUE)
        }
    };
    let order = reader.read("order", word(ORDERS), Order::Fifo);
    let full = reader.read("full", word(FULL), WhenFull::Refuse);
    reader.finish();
    let workers = u32::try_from(workers).unwrap_or(1);
    Stage { workers, service: Duration::from_nanos(service_ns), queue, order, full }
}

#[derive(Clone, Copy)]
enum Queue {
    Entries(u64),
    Span(u64),
}

fn queue(value: &Value) -> Read<Queue> {
    let is_count = value.is_integer()
        || value.as_str().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let limit = |_| {
        format!("must be a number of entries from 1 to {QUEUE}, or a span of work from 1ms to 1d")
    };
    if is_count {
        number(1, QUEUE)(value).map(Queue::Entries).map_err(limit)
    } else {
        span(1, 86_400_000)(value).map(Queue::Span).map_err(limit)
    }
}

/// A service time in nanoseconds. It may be shorter than a millisecond: `300us`.
fn service(value: &Value) -> Read<u64> {
    let text = value.as_str().unwrap_or_default().trim();
    let scaled = |digits: &str, unit_ns| digits.trim().parse::<u64>().ok()?.checked_mul(unit_ns);
    let nanos = match (text.strip_suffix("ns"), text.strip_suffix("us")) {
        (Some(nanos), _) => scaled(nanos, 1),
        (None, Some(micros)) => scaled(micros, 1_000),
        (None, None) => span(1, SPAN_MS)(value).ok().map(|millis| millis * 1_000_000),
    };
    nanos
        .filter(|nanos| (1_000..=SPAN_MS * 1_000_000).contains(nanos))
        .ok_or_else(|| "must be a span such as 300us or 3ms, from 1us to 1h".to_owned())
}

fn read_crash(value: Value, errors: &mut Vec<ConfigError>) -> Crash {
    let mut reader = Reader::new("server.crash", Some(value), errors);
    let has_limit = reader.has("queue") || reader.has("open");
    let queue = reader.optional("queue", number(1, QUEUE));
    let open = reader.optional("open", number(1, QUEUE));
    let down = reader.read("down", span(1, SPAN_MS), 30_000);
    if !has_limit {
        reader.error("queue", "", "must be set, or else open must be set");
    }
    reader.finish();
    Crash { queue, open, down: millis(down) }
}

fn read_admission(value: Value, errors: &mut Vec<ConfigError>) -> Admission {
    let mut reader = Reader::new("server.admission", Some(value), errors);
    let per_second = reader.required("per_second", number(1, RATE), 1);
    let burst = reader.read("burst", number(1, RATE), 1);
    let status = reader.read("status", number(400, 599), 429);
    let retry_after = reader.optional("retry_after", span(0, 86_400_000));
    reader.finish();
    let status = u16::try_from(status).unwrap_or(429);
    Admission { per_second, burst, status, retry_after: retry_after.map(millis) }
}

fn read_network(value: Option<Value>, errors: &mut Vec<ConfigError>) -> Network {
    let mut reader = Reader::new("network", value, errors);
    let latency = reader.read("latency", span(0, 60_000), 0);
    let jitter = reader.read("jitter", span(0, 60_000), 0);
    let distribution = reader.read("distribution", word(DISTRIBUTIONS), Distribution::Uniform);
    let loss_ppm = reader.read("loss", share, 0);
    let detection = reader.read("detection", span(0, SPAN_MS), 0);
    reader.finish();
    Network {
        latency: millis(latency),
        jitter: millis(jitter),
        distribution,
        loss_ppm,
        detection: millis(detection),
    }
}

/// The size of a group, as the file states it.
#[derive(Clone, Copy)]
enum Size {
    Share(u64),
    Count(u64),
}

fn read_groups(
    value: Option<Value>,
    clients: Option<u64>,
    has_clients: bool,
    has_login_stage: bool,
    errors: &mut Vec<ConfigError>,
) -> (Vec<Group>, u32) {
    let list = list("groups", value, errors);
    let list = if list.is_empty() { vec![Value::Table(Table::new())] } else { list };
    let is_alone = list.len() == 1;
    if list.len() > GROUPS {
        let limit = format!("must be at most {GROUPS} groups");
        errors.push(ConfigError::new("groups", list.len().to_string(), limit));
    }
    let (mut groups, mut sizes) = (Vec::new(), Vec::new());
    for (index, value) in list.into_iter().enumerate() {
        let mut reader = Reader::new(format!("groups.{index}"), Some(value), errors);
        let name = reader.read(
            "name",
            text,
            if is_alone { "all".to_owned() } else { format!("group {index}") },
        );
        let (by_share, by_count) = (reader.has("share"), reader.has("count"));
        let share = reader.read("share", share, PPM);
        let count = reader.read("count", number(1, CLIENTS), 1);
        if (by_share && by_count) || (!by_share && !by_count && !is_alone) {
            reader.error("share", "", "must be set, or else count must be set, and not both");
        }
        let churn_per_second = reader.read("churn", number(0, RATE), 0);
        let resets = reader.read("resets", word(RESETS), Resets::WhenStable);
        let path = reader.field("config");
        let config = read_config(&path, reader.take("config"), has_login_stage, reader.errors());
        reader.finish();
        if groups.iter().any(|group: &Group| group.name == name) {
            errors.push(ConfigError::new(
                format!("groups.{index}.name"),
                &name,
                "must be used only once",
            ));
        }
        sizes.push(if by_count { Size::Count(count) } else { Size::Share(share) });
        groups.push(Group { name, clients: 0, churn_per_second, resets, config });
    }
    let clients = divide(&mut groups, &sizes, clients, has_clients, errors);
    (groups, clients)
}

/// Gives each group its clients.
fn divide(
    groups: &mut [Group],
    sizes: &[Size],
    clients: Option<u64>,
    has_clients: bool,
    errors: &mut Vec<ConfigError>,
) -> u32 {
    let shares: u64 =
        sizes.iter().map(|size| if let Size::Share(share) = size { *share } else { 0 }).sum();
    let counts: u64 =
        sizes.iter().map(|size| if let Size::Count(count) = size { *count } else { 0 }).sum();
    let is_counted = sizes.iter().all(|size| matches!(size, Size::Count(_)));
    let is_shared = sizes.iter().all(|size| matches!(size, Size::Share(_)));
    if !is_counted && !is_shared {
        errors.push(ConfigError::new("groups", "", "must all have a share, or all have a count"));
        return 0;
    }
    if is_counted {
        if counts > CLIENTS || clients.is_some_and(|clients| clients != counts) {
            let limit = "the counts of all groups must add up to clients, at most 10000000";
            errors.push(ConfigError::new("groups", counts.to_string(), limit));
        }
    } else if !has_clients {
        errors.push(ConfigError::new("clients", "", "must be set"));
    }
    // Rounding may leave one millionth in each group.
    if is_shared && shares.abs_diff(PPM) > groups.len() as u64 {
        let value = format!("{}.{:06}", shares / PPM, shares % PPM);
        errors.push(ConfigError::new("groups", value, "the shares of all groups must add up to 1"));
    }
    let total = if is_counted { counts } else { clients.unwrap_or(1) };
    let (mut sum, mut given) = (0_u64, 0_u64);
    let last = groups.len().saturating_sub(1);
    for (index, (group, size)) in groups.iter_mut().zip(sizes).enumerate() {
        let count = match *size {
            Size::Count(count) => count,
            Size::Share(share) => {
                sum = sum.saturating_add(share);
                let upto = if index == last {
                    total
                } else {
                    (total.saturating_mul(sum) / PPM).min(total)
                };
                upto.saturating_sub(given)
            }
        };
        if count == 0 && (is_counted || clients.is_some()) {
            let limit = "must leave the group at least one client";
            errors.push(ConfigError::new(format!("groups.{index}.share"), "", limit));
        }
        given = given.saturating_add(count);
        group.clients = u32::try_from(count).unwrap_or(u32::MAX);
    }
    u32::try_from(total).unwrap_or(u32::MAX)
}

/// The settings of the core. With a login stage, a group that names no login gets one, because the
/// login stage would be without clients.
fn read_config(
    path: &str,
    value: Option<Value>,
    has_login_stage: bool,
    errors: &mut Vec<ConfigError>,
) -> Arc<Config> {
    let mut table = match value {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(other) => {
            errors.push(ConfigError::new(path, show(&other), "must be a table"));
            Table::new()
        }
    };
    if has_login_stage && !table.contains_key("login") {
        let login = Table::from_iter([("external".to_owned(), Value::Boolean(true))]);
        table.insert("login".to_owned(), Value::Table(login));
    }
    let built = match table.try_into::<ConfigBuilder>() {
        Ok(builder) => builder.build(),
        Err(error) => Err(ConfigError::new("", "", error.to_string()).into()),
    };
    let config = built.unwrap_or_else(|found| {
        for error in found.into_vec() {
            let field = format!("{path}.{}", error.field());
            errors.push(ConfigError::new(
                field.trim_end_matches('.'),
                error.value(),
                error.limit(),
            ));
        }
        Config::default()
    });
    let mut unsupported = |field: &str, limit: &str| {
        errors.push(ConfigError::new(format!("{path}.{field}"), "true", limit));
    };
    if config.asks_provider() {
        unsupported("ask_provider", "must be false: providers are not simulated");
    }
    if config.shares_budget() {
        unsupported("shared_budget", "must be false: shared budgets are not simulated");
    }
    if matches!(config.login(), Login::Dialect { .. })
        || config.heartbeat_kind() == HeartbeatKind::Dialect
    {
        unsupported("login.dialect", "must be false: dialects are not simulated");
    }
    Arc::new(config)
}

pub(super) fn list(path: &str, value: Option<Value>, errors: &mut Vec<ConfigError>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            errors.push(ConfigError::new(path, show(&other), "must be a list of tables"));
            Vec::new()
        }
    }
}
