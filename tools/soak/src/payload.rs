//! The content of messages: their sender, and bytes that reveal every cut and every mix-up.

/// The messages of the gateway begin so; heartbeats do not.
const FROM_GATEWAY: &str = "gateway";

/// A message of a client's: its client, its number, and filling, `bytes` long where there is room.
pub(crate) fn of_client(client: usize, number: u64, bytes: usize) -> String {
    let mut text = format!("client {client} {number} {bytes} ");
    while text.len() < bytes {
        text.push(filler(number, text.len()));
    }
    text
}

/// The number of a message of this client's; `None` where it is not as it was sent.
pub(crate) fn number_of(client: usize, text: &str) -> Option<u64> {
    let mut words = text.splitn(5, ' ');
    let ("client", of, number, bytes) =
        (words.next()?, words.next()?, words.next()?, words.next()?)
    else {
        return None;
    };
    let (of, number, bytes): (usize, u64, usize) =
        (of.parse().ok()?, number.parse().ok()?, bytes.parse().ok()?);
    let filling = words.next()?;
    let begins = text.len() - filling.len();
    let is_whole = text.len() == bytes.max(begins)
        && filling.chars().enumerate().all(|(at, one)| one == filler(number, begins + at));
    (of == client && is_whole).then_some(number)
}

/// A request of a client's, without the id that it gets when it is sent.
pub(crate) fn of_request(client: usize, number: u64) -> String {
    format!("ask {client} {number}")
}

/// The number and the id of a request of this client's.
pub(crate) fn asked(client: usize, text: &str) -> Option<(u64, u64)> {
    let (of, rest) = text.strip_prefix("ask ")?.split_once(' ')?;
    let (number, id) = rest.split_once(' ')?;
    (of.parse() == Ok(client)).then_some((number.parse().ok()?, id.parse().ok()?))
}

/// The answer to a request.
pub(crate) fn of_answer(number: u64, id: u64) -> String {
    format!("answer {number} {id}")
}

/// The request's number and id in an answer.
pub(crate) fn answered(text: &str) -> Option<(u64, u64)> {
    let (number, id) = text.strip_prefix("answer ")?.split_once(' ')?;
    Some((number.parse().ok()?, id.parse().ok()?))
}

/// A message of the gateway's: on which connection, its number there, and what it answers.
pub(crate) fn of_gateway(connection: u64, number: u64, echo: &str) -> String {
    format!("{FROM_GATEWAY} {connection} {number} {echo}")
}

/// The connection, the number and the echo in a message of the gateway's.
pub(crate) fn from_gateway(text: &str) -> Option<(u64, u64, &str)> {
    let mut words = text.splitn(4, ' ');
    if words.next()? != FROM_GATEWAY {
        return None;
    }
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?))
}

fn filler(number: u64, at: usize) -> char {
    char::from(b'a' + ((number + at as u64) % 26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_sent_it_and_shows_a_cut() {
        for bytes in [0, 5, 19, 20, 300] {
            let text = of_client(3, 41, bytes);
            assert_eq!(number_of(3, &text), Some(41), "{text}");
            assert_eq!(number_of(4, &text), None);
            assert_eq!(number_of(3, &format!("{text}a")), None);
        }
        let text = of_client(3, 41, 300);
        assert_eq!(number_of(3, &text[..299]), None);
        assert_eq!(number_of(3, &text.replace("abc", "acb")), None);
    }
}
