//! Checks a report of the testsuite.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

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
    /// Reads `index.json`. Each of these parts of gateway must have run so many cases.
    pub(crate) fn of(
        index: &str,
        expected: usize,
        parts: &[&str],
    ) -> Result<Self, serde_json::Error> {
        let mut agents: BTreeMap<_, _> = serde_json::from_str(index)?;
        for part in parts {
            agents.entry(format!("gateway-{part}")).or_default(); // an absent one has run none
        }
        Ok(Self { agents, expected })
    }

    /// Whether each agent has run all cases, and each case is OK or INFORMATIONAL.
    pub(crate) fn is_good(&self) -> bool {
        let is_good = |cases: &BTreeMap<String, Case>| {
            cases.len() == self.expected && cases.values().all(Case::is_good)
        };
        self.agents.values().all(is_good)
    }
}

impl Case {
    fn is_good(&self) -> bool {
        let is_good = |behavior: &str| matches!(behavior, "OK" | "INFORMATIONAL");
        is_good(&self.behavior) && is_good(&self.behavior_close)
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
            for (name, case) in cases.iter().filter(|(_, case)| !case.is_good()) {
                let Case { behavior, behavior_close } = case;
                writeln!(f, "  {name}: {behavior}, close {behavior_close}")?;
            }
        }
        if !self.is_good() {
            writeln!(
                f,
                "FAILED: each must run all cases, and each case must be OK or INFORMATIONAL"
            )?;
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
        format!(r#"{{"gateway-std":{{"1.1.1":{},"1.1.2":{}}}}}"#, case(first), case(second))
    }

    #[test]
    fn each_agent_must_run_all_cases_and_be_strict() {
        assert!(is_good(&index("OK", "INFORMATIONAL")));
        for bad in ["FAILED", "NON-STRICT", "WRONG CODE", "UNCLEAN", "UNIMPLEMENTED"] {
            assert!(!is_good(&index(bad, "OK")), "{bad}");
            assert!(!is_good(&index("OK", bad)), "{bad}");
        }
        assert!(!is_good("{}"), "an agent that is not there");
        assert!(!is_good(r#"{"gateway-std":{}}"#), "cases that were not run");
    }
}
