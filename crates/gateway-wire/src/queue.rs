//! Queues and buffers whose memory follows their use. An idle connection holds almost none.

use std::collections::VecDeque;

/// A queue that frees its buffer when it becomes empty. To free it later would not help: in a
/// process of many connections, other small blocks are then between the freed ones. A burst that
/// follows a burst reserves at once what the last one needed.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    /// The longest length since the queue was last empty.
    most: usize,
    /// The same, for the time before the queue was last empty.
    burst: usize,
}

/// The capacity that is never freed.
const QUIET: usize = 8;

/// Frees the buffer of a queue that is empty, unless it is so small that it is kept for what follows.
pub(crate) fn free_if_large<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > QUIET {
        *queue = VecDeque::new();
    }
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { items: VecDeque::new(), most: 0, burst: 0 }
    }

    #[inline]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.items.len() == self.items.capacity() {
            self.make_room();
        }
        self.items.push_back(item);
        self.most = self.most.max(self.items.len());
    }

    #[cold]
    fn make_room(&mut self) {
        if self.items.len() >= QUIET {
            self.items.reserve(self.burst.saturating_sub(self.items.len()).max(1));
        }
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.items.front()
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if self.items.is_empty() {
            return None;
        }
        let item = self.items.pop_front();
        self.give_back_if_empty();
        item
    }

    /// Drops `count` elements from the front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.items.drain(..count);
        self.give_back_if_empty();
    }

    #[inline]
    fn give_back_if_empty(&mut self) {
        if self.items.is_empty() {
            self.burst = std::mem::take(&mut self.most);
            free_if_large(&mut self.items);
        }
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.items.front_mut()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// The number of elements before the first one for which `holds` is false. The queue must be
    /// partitioned by `holds`.
    pub(crate) fn partition_point(&self, holds: impl FnMut(&T) -> bool) -> usize {
        self.items.partition_point(holds)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }

    /// Keeps, in their order, the elements for which `keep` returns true. At least one must be
    /// kept.
    pub(crate) fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.items.retain_mut(keep);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(queue: &mut Queue<usize>, count: usize) {
        (0..count).for_each(|item| queue.push_back(item));
        let taken = std::iter::from_fn(|| queue.pop_front()).collect::<Vec<_>>();
        assert!(taken.into_iter().eq(0..count), "first in, first out");
    }

    #[test]
    fn an_empty_queue_holds_little_whatever_it_held_before() {
        let mut queue = Queue::new();
        for count in [1_000, 1, 9, 8, 3] {
            batch(&mut queue, count);
            assert!(queue.items.capacity() <= QUIET, "after {count}");
        }
    }

    #[test]
    fn few_find_the_room_that_they_left_and_a_burst_after_a_burst_takes_its_room_at_once() {
        let mut queue = Queue::new();
        batch(&mut queue, 4);
        let room = queue.items.capacity();
        assert!(room >= 4, "what few need is kept");

        batch(&mut queue, 1_000);
        (0..9).for_each(|item| queue.push_back(item));
        assert!(queue.items.capacity() >= 1_000, "as much as the last burst had");
    }

    #[test]
    fn what_is_dropped_from_the_front_is_the_oldest() {
        let mut queue = Queue::new();
        (0..5).for_each(|item| queue.push_back(item));
        assert_eq!(queue.partition_point(|item| *item < 2), 2);
        queue.drop_front(2);
        assert_eq!((queue.pop_front(), queue.len()), (Some(2), 2));
    }
}
