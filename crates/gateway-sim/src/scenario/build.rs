//! From TOML, or from a named scenario and changes, to a valid [`Scenario`].

use gateway_core::{ConfigError, ConfigErrors};
use toml::{Table, Value};

use super::{NamedScenario, Scenario, read};

/// The settings of a scenario before they are checked.
///
/// ```
/// use gateway_sim::{NamedScenario, ScenarioBuilder};
///
/// let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
/// builder.set("clients", 2_000);
/// builder.set("server.accept.capacity", 100);
/// builder.configure("connect_timeout", "5s");
/// let scenario = builder.build()?;
/// assert_eq!(scenario.clients(), 2_000);
///
/// let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
/// builder.set("clients", 0);
/// builder.set("server.accept.queue", 0);
/// let errors = builder.build().unwrap_err().to_string();
/// assert!(errors.contains("clients = 0") && errors.contains("server.accept.queue = 0"));
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioBuilder {
    source: Table,
    errors: Vec<ConfigError>,
}

impl ScenarioBuilder {
    /// Starts with a named scenario.
    #[must_use]
    pub fn named(name: NamedScenario) -> Self {
        match Self::from_toml(name.toml()) {
            Ok(builder) => builder,
            Err(errors) => Self { source: Table::new(), errors: errors.into_vec() },
        }
    }

    /// Starts with the text of a file. The fields are only checked by [`build`](Self::build).
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        match text.parse::<Table>() {
            Ok(source) => Ok(Self::from_table(source)),
            Err(error) => {
                Err(ConfigError::new("scenario", "", error.to_string().trim_end()).into())
            }
        }
    }

    pub(crate) const fn from_table(source: Table) -> Self {
        Self { source, errors: Vec::new() }
    }

    /// Sets the field at a dotted path, such as `server.accept.capacity`. A number in a path is the
    /// place in a list: `faults.0.at`. Lists and tables are created as needed.
    ///
    /// A path that leads through a plain value is an error, which [`build`](Self::build) reports.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        let mut root = Value::Table(std::mem::take(&mut self.source));
        let is_set = place(&mut root, path).map(|at| *at = value.into()).is_some();
        if let Value::Table(source) = root {
            self.source = source;
        }
        if !is_set {
            self.errors.push(ConfigError::new(
                path,
                "",
                "no such field: its path leads through a value",
            ));
        }
        self
    }

    /// Removes the field at a dotted path. An absent field stays absent.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut table = Some(&mut self.source);
        for part in parent.split('.').filter(|part| !part.is_empty()) {
            table = table.and_then(|table| table.get_mut(part)).and_then(Value::as_table_mut);
        }
        if let Some(table) = table {
            table.remove(name);
        }
        self
    }

    /// Sets a field of the connection's settings in all groups, such as `reconnect.jitter`. The
    /// names are those of [`gateway_core::Config`].
    pub fn configure(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        let groups = self.source.get("groups").and_then(Value::as_array).map_or(0, Vec::len);
        if groups == 0 {
            self.set("groups.0.name", "all").set("groups.0.share", 1.0);
        }
        for group in 0..groups.max(1) {
            self.set(&format!("groups.{group}.config.{path}"), value.clone());
        }
        self
    }

    /// The settings as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.source.to_string()
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// All errors at once, each with field, value and limit.
    pub fn build(&self) -> Result<Scenario, ConfigErrors> {
        read::scenario(&self.source, self.errors.clone())
    }
}

/// The place of a path, created if it is absent.
fn place<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut at = root;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let is_list_next =
            parts.peek().is_some_and(|next| next.bytes().all(|b| b.is_ascii_digit()));
        let empty =
            || if is_list_next { Value::Array(Vec::new()) } else { Value::Table(Table::new()) };
        at = match at {
            Value::Table(table) => table.entry(part).or_insert_with(empty),
            Value::Array(list) => {
                let index: usize = part.parse().ok()?;
                if index == list.len() {
                    list.push(empty());
                }
                list.get_mut(index)?
            }
            _ => return None,
        };
    }
    Some(at)
}
