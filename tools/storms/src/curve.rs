//! The curve of a storm: how many clients are ready, at each step since the drop.

use std::time::Duration;

/// The time between two points of a curve.
pub(crate) const STEP: Duration = Duration::from_millis(100);

/// What a storm did, on sockets or simulated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Storm {
    pub(crate) clients: usize,
    /// The ready clients at each step. The first point is the drop.
    pub(crate) ready: Vec<usize>,
    /// Sockets that the clients started to open.
    pub(crate) opens: u64,
    /// Attempts that the server refused.
    pub(crate) refused: u64,
    /// Attempts that ended at the connect timeout.
    pub(crate) timeouts: u64,
    /// The most opens within 100 ms.
    pub(crate) worst_100ms: usize,
}

impl Storm {
    /// The mean of several storms of the same fleet at each step, and of their counts.
    pub(crate) fn mean(storms: &[Self]) -> Self {
        let count = storms.len().max(1);
        let mean = |sum: usize| (sum + count / 2) / count;
        let of = |field: fn(&Self) -> u64| storms.iter().map(field).sum::<u64>() / count as u64;
        let steps = storms.iter().map(|storm| storm.ready.len()).min().unwrap_or(0);
        Self {
            clients: storms.first().map_or(0, |storm| storm.clients),
            ready: (0..steps)
                .map(|step| mean(storms.iter().map(|storm| storm.ready[step]).sum()))
                .collect(),
            opens: of(|storm| storm.opens),
            refused: of(|storm| storm.refused),
            timeouts: of(|storm| storm.timeouts),
            worst_100ms: mean(storms.iter().map(|storm| storm.worst_100ms).sum()),
        }
    }

    /// When this share of the clients was ready, and stayed so until the end of the curve.
    pub(crate) fn recovered(&self, percent: usize) -> Option<Duration> {
        let enough = (self.clients * percent).div_ceil(100);
        let short = self.ready.iter().rposition(|ready| *ready < enough);
        let step = short.map_or(0, |last| last + 1);
        (step < self.ready.len()).then(|| STEP * u32::try_from(step).unwrap_or(u32::MAX))
    }

    /// The mean of the absolute differences of two curves, in percent of the fleet.
    pub(crate) fn distance(&self, other: &Self) -> f64 {
        let steps = self.ready.len().min(other.ready.len());
        let sum: usize = self.ready.iter().zip(&other.ready).map(|(a, b)| a.abs_diff(*b)).sum();
        percent(sum, self.clients * steps)
    }
}

/// The most of these instants within any `span`. They must be sorted.
pub(crate) fn most_within(instants: &[Duration], span: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (index, at) in instants.iter().enumerate() {
        while *at - instants[first] >= span {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(ready: &[usize]) -> Storm {
        let ready = ready.to_vec();
        Storm { clients: 10, ready, opens: 0, refused: 0, timeouts: 0, worst_100ms: 0 }
    }

    #[test]
    fn a_share_counts_once_it_is_ready_for_good() {
        let storm = storm(&[0, 6, 2, 5, 9, 10, 10]);

        assert_eq!(storm.recovered(50), Some(STEP * 3));
        assert_eq!(storm.recovered(99), Some(STEP * 5));
        assert_eq!(storm.recovered(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_share_that_is_lost_at_the_end_has_not_recovered() {
        assert_eq!(storm(&[0, 10, 10, 9]).recovered(99), None);
    }

    #[test]
    fn the_distance_is_the_mean_difference_in_percent_of_the_fleet() {
        let distance = storm(&[0, 5, 10, 10]).distance(&storm(&[0, 3, 10, 10]));

        assert!((distance - 5.0).abs() < 1e-9, "{distance}");
    }

    #[test]
    fn the_mean_is_taken_at_each_step() {
        let mean = Storm::mean(&[storm(&[0, 4, 10]), storm(&[0, 7, 10, 10])]);

        assert_eq!(mean, storm(&[0, 6, 10]));
    }

    #[test]
    fn the_most_within_a_span_excludes_its_end() {
        let instants = [0, 10, 99, 100, 150, 400].map(Duration::from_millis);

        assert_eq!(most_within(&instants, STEP), 3, "100 ms is not within the 100 ms from 0");
    }
}
