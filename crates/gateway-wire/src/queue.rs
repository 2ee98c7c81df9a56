//! Queues and buffers whose memory follows what they are used for: an idle connection holds next to none.

use std::collections::VecDeque;

/// A queue that frees its buffer when it becomes empty. The first quiet batch would be too late: in a process of many
/// connections, small blocks of the others are between the freed ones by then. A burst after a burst reserves at once
/// what the last one needed.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    /// The most that waited at once since the queue was last empty.
    most: usize,
    /// The same before it was.
    burst: usize,
}

impl<T> Queue<T> {
    /// The room that is never given back.
    const QUIET: usize = 8;

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
        if self.items.len() >= Self::QUIET {
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

    /// Drops so many from the front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.items.drain(..count);
        self.give_back_if_empty();
    }

    #[inline]
    fn give_back_if_empty(&mut self) {
        if self.items.is_empty() {
            self.burst = std::mem::take(&mut self.most);
            if self.items.capacity() > Self::QUIET {
                self.items = VecDeque::new();
            }
        }
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.items.front_mut()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// How many stand before the first for which `holds` does not hold, in a queue that such a one divides.
    pub(crate) fn partition_point(&self, holds: impl FnMut(&T) -> bool) -> usize {
        self.items.partition_point(holds)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    /// Keeps, in their order, those for which `keep` says so; some must be kept.
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
            assert!(queue.items.capacity() <= Queue::<usize>::QUIET, "after {count}");
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
