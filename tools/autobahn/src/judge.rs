//! Checks the report on each driver.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// Cases that tungstenite, the codec, takes late: it looks for invalid UTF-8 once a frame is whole.
const MAY_BE_NON_STRICT: [&str; 2] = ["6.4.3", "6.4.4"];

/// The report of a run: by agent, what became of each case.
pub(crate) struct Verdict {
    agents: BTreeMap<String, BTreeMap<String, Case>>,
    expected: usize,
}

/// What the testsuite says of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    behavior: String,
    behavior_close: String,
}

impl Verdict {
    /// Reads `index.json`; each of these drivers is to have run so many cases.
    pub(crate) fn of(
        index: &str,
        expected: usize,
        drivers: &[&str],
    ) -> Result<Self, serde_json::Error> {
        let mut agents: BTreeMap<_, _> = serde_json::from_str(index)?;
        for driver in drivers {
            agents.entry(format!("gateway-{driver}")).or_default(); // a driver that is not there has run none
        }
        Ok(Self { agents, expected })
    }

    /// Whether each driver has run all cases, and each case went well.
    pub(crate) fn is_good(&self) -> bool {
        self.agents.values().all(|cases| {
            cases.len() == self.expected && cases.iter().all(|(name, case)| case.is_good(name))
        })
    }
}

impl Case {
    fn is_clean(&self) -> bool {
        let is_clean = |behavior: &str| matches!(behavior, "OK" | "INFORMATIONAL");
        is_clean(&self.behavior) && is_clean(&self.behavior_close)
    }

    fn is_good(&self, name: &str) -> bool {
        let may_be_late = MAY_BE_NON_STRICT.contains(&name)
            && self.behavior == "NON-STRICT"
            && self.behavior_close == "OK";
        self.is_clean() || may_be_late
    }
}

/// The counts, and every case that is neither OK nor INFORMATIONAL.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (agent, cases) in &self.agents {
            let mut counts = BTreeMap::<&str, usize>::new();
            for case in cases.values() {
                *counts.entry(&case.behavior).or_default() += 1;
            }
            let counts: Vec<String> =
                counts.iter().map(|(behavior, count)| format!("{count} {behavior}")).collect();
            let (ran, expected) = (cases.len(), self.expected);
            writeln!(f, "{agent}: {ran} of {expected} cases: {}", counts.join(", "))?;
            for (name, case) in cases.iter().filter(|(_, case)| !case.is_clean()) {
                let judgement = if case.is_good(name) { "accepted" } else { "NOT ACCEPTED" };
                let Case { behavior, behavior_close } = case;
                writeln!(f, "  {name}: {behavior}, close {behavior_close}: {judgement}")?;
            }
        }
        if !self.is_good() {
            writeln!(f, "FAILED: each driver must run all cases, and each case must be accepted")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good(index: &str) -> bool {
        Verdict::of(index, 2, &["std"]).unwrap().is_good()
    }

    fn index(first: &str, second: &str) -> String {
        let case = |behavior: &str| format!(r#"{{"behavior":"{behavior}","behaviorClose":"OK"}}"#);
        format!(r#"{{"gateway-std":{{"1.1.1":{},"6.4.3":{}}}}}"#, case(first), case(second))
    }

    #[test]
    fn all_cases_of_all_drivers_are_to_be_clean() {
        assert!(is_good(&index("OK", "INFORMATIONAL")));
        for bad in ["FAILED", "NON-STRICT", "WRONG CODE", "UNCLEAN", "UNIMPLEMENTED"] {
            assert!(!is_good(&index(bad, "OK")), "{bad}");
        }
        assert!(!is_good("{}"), "a driver that is not there");
        assert!(!is_good(r#"{"gateway-std":{}}"#), "cases that were not run");
    }

    #[test]
    fn late_utf8_alone_may_be_non_strict() {
        assert!(is_good(&index("OK", "NON-STRICT")));
        assert!(!is_good(&index("OK", "FAILED")));
        assert!(!is_good(&index("NON-STRICT", "OK")));
    }
}
