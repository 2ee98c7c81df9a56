//! Who uses a client: the handles, permits and events that exist, in one atomic with flags.

/// A flag of `users`: no one takes events any more.
pub(super) const UNREAD: usize = 1;

/// A flag of `users`: there are leavings.
pub(super) const LEFT: usize = 2;

/// A flag of `users`: the client has left its fleet, and ends when it is CLOSED.
pub(super) const RETIRED: usize = 4;

/// One of `users`.
pub(super) const USER: usize = 8;

/// Who uses a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Users(usize);

impl Users {
    pub(super) const fn from_bits(bits: usize) -> Self {
        Self(bits)
    }

    pub(crate) const fn exist(self) -> bool {
        self.0 >= USER
    }

    /// Whether `Events` exists.
    pub(crate) const fn read(self) -> bool {
        self.0 & UNREAD == 0
    }

    /// Whether the client ends when it is CLOSED, although it has users.
    pub(crate) const fn retired(self) -> bool {
        self.0 & RETIRED != 0
    }

    /// Whether they have left something behind.
    pub(crate) const fn left(self) -> bool {
        self.0 & LEFT != 0
    }
}
