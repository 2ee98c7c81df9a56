//! Bytes of a peer, read by the codec and by tungstenite.
//!
//! Catches: a panic; a result that depends on how the bytes are cut; a message, a control frame or a
//! class of failure that tungstenite does not report, unless `difference.rs` allows it; a length that
//! is coded in more bytes than it needs and is accepted; an extension that changes more than its
//! messages.

mod difference;
mod heads;
mod plan;

use gateway_wire::codec::{Breach, Codec, Extension, Incoming};
use serde::{Deserialize, Serialize};

use self::difference::difference;
use self::heads::Heads;
use self::plan::Part;
use crate::Sights;
use crate::codec::{End, Peer, Reading, Side, read};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Input {
    /// Who reads.
    side: Side,
    /// The longest message in bytes, at most [`MOST_LIMIT`].
    limit: Option<u32>,
    /// Whether [`Slow`] decodes messages with RSV1.
    has_extension: bool,
    /// The sizes of the pieces.
    cuts: Vec<u8>,
    parts: Vec<Part>,
}

const MOST_LIMIT: usize = 1 << 17;

/// More bytes than these are left out.
const MOST_BYTES: usize = 200_000;

/// A text of more bytes shares its copy with no other text of the read.
const SHARED: usize = 8 << 10;

/// So many bytes are also read one by one.
const FEW_BYTES: usize = 1_000;

impl crate::Input for Input {
    fn run(self) -> Sights {
        let limit = self.limit.map_or(MOST_LIMIT, |limit| MOST_LIMIT.min(limit as usize));
        let mut bytes: Vec<u8> =
            self.parts.iter().flat_map(|part| part.bytes(self.side)).take(MOST_BYTES).collect();
        let codec = || {
            let codec = Codec::new(self.side.role(), limit);
            if self.has_extension { codec.with_extension(Box::new(Slow)) } else { codec }
        };

        let ours = read(&mut codec(), &bytes, &[]);
        let in_pieces = read(&mut codec(), &bytes, &self.cuts);
        assert_eq!((&in_pieces.incoming, in_pieces.error), (&ours.incoming, ours.error));
        if bytes.len() <= FEW_BYTES {
            let bytewise = read(&mut codec(), &bytes, &[1]);
            assert_eq!((&bytewise.incoming, bytewise.error), (&ours.incoming, ours.error));
        }

        let heads = Heads::of(&bytes);
        if self.has_extension {
            heads.clear_rsv1(&mut bytes);
        }
        let mut sights = sights(&ours, &heads, &bytes, limit);
        sights.insert(match self.side {
            Side::Client => "a client reads",
            Side::Server => "a server reads",
        });
        sights.extend((in_pieces.incoming.len() > 1 && self.cuts.len() > 1).then_some("in pieces"));
        sights.extend(compare(self.side, limit, &bytes, &ours, &heads));
        sights
    }
}

/// Compares a reading with that of tungstenite. Returns which differences it has.
fn compare(
    side: Side,
    limit: usize,
    bytes: &[u8],
    ours: &Reading<Breach>,
    heads: &Heads,
) -> Vec<&'static str> {
    // tungstenite accepts a length in too many bytes. So it reads up to such a head, and the codec
    // must refuse it.
    if let Some(at) = heads.too_wide {
        let theirs = Peer::new(side, limit, &bytes[..at], 0).read();
        if ours.error == Some(Breach::Length) {
            assert_eq!(bytes.len() - ours.left, at, "another length is refused");
            assert_eq!((&ours.incoming, End::Waits), (&theirs.incoming, theirs.end()));
            return vec!["a length that tungstenite accepts"];
        }
        assert_ne!(ours.end(), End::Waits, "a length in more bytes than it needs is accepted");
        return agree(limit, bytes, ours, &theirs);
    }
    // tungstenite reads whole frames. The codec refuses a frame before all of it has come: so the
    // rest of it comes as zeros.
    let mut theirs = Peer::new(side, limit, bytes, 0).read();
    let mut seen = Vec::new();
    if ours.error.is_some() && theirs.end() == End::Waits {
        seen.push("refused before its end");
        let missing = heads.end.saturating_sub(bytes.len()).min(MOST_LIMIT + heads::LONGEST);
        theirs = Peer::new(side, limit, bytes, missing).read();
    }
    seen.extend(agree(limit, bytes, ours, &theirs));
    seen
}

fn agree(
    limit: usize,
    bytes: &[u8],
    ours: &Reading<Breach>,
    theirs: &Reading<tungstenite::Error>,
) -> Vec<&'static str> {
    if ours.incoming == theirs.incoming && ours.end() == theirs.end() {
        return Vec::new();
    }
    let at_fault = &bytes[bytes.len() - ours.left..];
    match difference(ours, theirs, Heads::of(at_fault).first, limit) {
        Some(difference) => vec![difference],
        None => panic!("{ours:?}, but for tungstenite {theirs:?}"),
    }
}

fn sights(ours: &Reading<Breach>, heads: &Heads, bytes: &[u8], limit: usize) -> Sights {
    let mut sights: Sights = ours.incoming.iter().map(word).collect();
    sights.extend(ours.error.map(breach));
    let control = |incoming: &Incoming| match incoming {
        Incoming::Ping(payload) | Incoming::Pong(payload) => payload.len() > limit,
        Incoming::Message(_) | Incoming::Close(_) => false,
    };
    sights.extend(
        ours.incoming.iter().any(control).then_some("a control frame longer than a message may be"),
    );
    let is_long = |text: &Incoming| matches!(text, Incoming::Message(text) if text.len() > SHARED);
    sights.extend(
        ours.incoming
            .windows(2)
            .any(|pair| is_long(&pair[0]) && word(&pair[1]) == "a text")
            .then_some("a text behind one that shares no copy"),
    );
    if ours.error.is_some() {
        return sights;
    }
    let firsts: Vec<u8> = heads.starts.iter().map(|at| bytes[*at] & 0x8f).collect();
    sights.extend(firsts.contains(&0x80).then_some("fragments"));
    let is_between = |firsts: &[u8]| {
        matches!(firsts, [0x00..=0x02, 0x88..=0x8f, 0x00 | 0x80]) // begun, control, continued
    };
    sights.extend(firsts.windows(3).any(is_between).then_some("a control frame between fragments"));
    let is_followed = firsts.split_last().is_some_and(|(_, before)| before.contains(&0x88));
    sights.extend(is_followed.then_some("bytes after a close"));
    sights
}

fn word(incoming: &Incoming) -> &'static str {
    match incoming {
        Incoming::Message(message) if message.as_text().is_some() => "a text",
        Incoming::Message(_) => "a binary",
        Incoming::Ping(_) => "a ping",
        Incoming::Pong(_) => "a pong",
        Incoming::Close(Some(_)) => "a close",
        Incoming::Close(None) => "a close without a code",
    }
}

fn breach(breach: Breach) -> &'static str {
    match breach {
        Breach::Masked => "masked",
        Breach::Unmasked => "unmasked",
        Breach::ReservedBit => "reserved bit",
        Breach::ReservedOpcode(_) => "reserved opcode",
        Breach::Length => "length",
        Breach::Interrupted => "interrupted",
        Breach::NothingToContinue => "nothing to continue",
        Breach::FragmentedControl => "fragmented control",
        Breach::LongControl => "long control",
        Breach::CloseOfOneByte => "close of one byte",
        Breach::CloseCode(_) => "close code",
        Breach::CloseReason => "close reason",
        Breach::Text => "text",
        Breach::TooLong { is_whole: true, .. } => "too long",
        Breach::TooLong { is_whole: false, .. } => "too long so far",
        Breach::Extension(_) => "extension",
        breach => panic!("add {breach:?} to the words"),
    }
}

/// Leaves messages as they are, a few bytes in each call, and refuses one byte.
#[derive(Debug)]
struct Slow;

impl Slow {
    const BYTES: usize = 7;
    const REFUSED: u8 = 0xff;
}

impl Extension for Slow {
    fn decode(
        &mut self,
        part: &[u8],
        _: bool,
        room: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Breach> {
        // What comes before the byte is given first, however the bytes are cut.
        let count = part
            .iter()
            .take(Self::BYTES.min(room))
            .take_while(|byte| **byte != Self::REFUSED)
            .count();
        let part = match (count, part) {
            (0, [_, ..]) => return Err(Breach::Extension("a byte that it refuses")),
            (count, part) => &part[..count],
        };
        output.extend(part);
        Ok(part.len())
    }
}
