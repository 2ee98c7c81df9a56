//! Names in errors.

/// The names of `known` that are near `name`, the nearest first.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    /// Clap's threshold for its suggestions.
    const NEAR: f64 = 0.7;
    /// More would not help.
    const MOST: usize = 3;

    let name = name.to_ascii_lowercase();
    let mut ranked: Vec<_> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > NEAR)
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    ranked.truncate(MOST);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// `; near it: a, b`, or nothing.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = near(name, known);
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

/// A name or a pattern as an error shows it: at most 64 characters.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first_and_far_ones_not_at_all() {
        let known = ["login", "heartbeat", "on_ready", "answer"];
        assert_eq!(near("logn", known), ["login"]);
        assert_eq!(near("Heartbeat", known), ["heartbeat"]);
        assert_eq!(near("zzz", known), [""; 0]);
        assert_eq!(hint("onready", known), "; near it: on_ready");
        assert_eq!(hint("zzz", known), "");
    }
}
