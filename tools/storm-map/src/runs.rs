//! Runs simulations on all cores, and keeps the order of their results.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Applies a function to each item, on as many threads as there are cores. The results are in the
/// order of the items.
pub(crate) fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    run: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while let Some((place, item)) = take(&next, items) {
            let result = run(item);
            if let Ok(mut done) = done.lock() {
                done.push((place, result));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    items.get(place).map(|item| (place, item))
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_their_items_and_the_first_error_is_returned() {
        let items: Vec<u32> = (0..100).collect();
        let doubled = super::each(&items, |item| Ok::<_, ()>(item * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let failed = super::each(&items, |item| if *item < 7 { Ok(()) } else { Err(*item) });
        assert_eq!(failed, Err(7));
    }
}
