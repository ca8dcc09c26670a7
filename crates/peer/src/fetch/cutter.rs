//! Frames cut out of an answer, wherever the network cut it before. Pure: bytes in, chunks out.

use bytes::{Buf, Bytes, BytesMut};
use protocol::api::peer::FrameHeader;
use swarm::Failure;

/// Where an answer stands between two reads of it.
#[derive(Default)]
pub(super) struct Cutter {
    /// The beginning of a frame whose rest has not come: at most one frame.
    begun: BytesMut,
}

impl Cutter {
    /// The next whole frame: its position in the request, and its chunk, cut from `bytes` without a copy unless it began in an earlier read.
    /// `None` when `bytes` are used up. `expected` says how long the chunk of a position is that was asked for and has not come: a header
    /// that says anything else is a lie.
    pub(super) fn next(
        &mut self,
        bytes: &mut Bytes,
        expected: impl Fn(usize) -> Option<u32>,
    ) -> Result<Option<(usize, Bytes)>, Failure> {
        if self.begun.is_empty()
            && let Some((position, length)) = announced(bytes, &expected)?
            && bytes.len() >= length
        {
            return Ok(Some((position, content(bytes.split_to(length)))));
        }
        self.take_up_to(FrameHeader::LENGTH, bytes);
        let Some((position, length)) = announced(&self.begun, &expected)? else { return Ok(None) };
        self.take_up_to(length, bytes);
        if self.begun.len() < length {
            return Ok(None);
        }
        Ok(Some((position, content(std::mem::take(&mut self.begun).freeze()))))
    }

    /// Whether the answer may end here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.begun.is_empty()
    }

    /// Takes over bytes until `length` have begun, or there are no more.
    fn take_up_to(&mut self, length: usize, bytes: &mut Bytes) {
        let missing = length.saturating_sub(self.begun.len());
        self.begun.reserve(missing);
        self.begun.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
    }
}

/// The position that the header at the start of `bytes` names, and the length of its frame; `None` where the header is not whole.
fn announced(
    bytes: &[u8],
    expected: impl Fn(usize) -> Option<u32>,
) -> Result<Option<(usize, usize)>, Failure> {
    let Some(header) = bytes.first_chunk::<{ FrameHeader::LENGTH }>() else { return Ok(None) };
    let FrameHeader { position, length } = FrameHeader::from_bytes(*header);
    let position = position as usize;
    if expected(position) != Some(length) {
        return Err(Failure::WrongBytes);
    }
    Ok(Some((position, FrameHeader::LENGTH + length as usize)))
}

/// What follows a frame's header.
fn content(mut frame: Bytes) -> Bytes {
    frame.advance(FrameHeader::LENGTH);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(position: u32, length: u32) -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "any byte will do")]
        let content = (0..length).map(|at| (position + at) as u8);
        FrameHeader { position, length }.to_bytes().into_iter().chain(content).collect()
    }

    /// What comes out of these reads of an answer about chunks of these `lengths`: the positions in their order, and how it ended.
    fn cut(lengths: &[u32], reads: &[&[u8]]) -> (Vec<usize>, Result<bool, Failure>) {
        let (mut cutter, mut came) = (Cutter::default(), Vec::new());
        for read in reads {
            let mut bytes = Bytes::copy_from_slice(read);
            loop {
                let expected = |at| lengths.get(at).copied().filter(|_| !came.contains(&at));
                match cutter.next(&mut bytes, expected) {
                    Ok(Some((position, chunk))) => {
                        let whole = frame(u32::try_from(position).unwrap(), lengths[position]);
                        assert_eq!(chunk, whole[FrameHeader::LENGTH..], "chunk {position}");
                        came.push(position);
                    }
                    Ok(None) => break,
                    Err(failure) => return (came, Err(failure)),
                }
            }
            assert!(bytes.is_empty(), "all of a read is used up");
        }
        (came, Ok(cutter.is_between_frames()))
    }

    proptest! {
        #[test]
        fn wherever_the_network_cuts_the_same_chunks_come_in_the_same_order(
            frames in prop::collection::vec(1_u32..40, 1..9).prop_flat_map(|lengths| {
                let order: Vec<usize> = (0..lengths.len()).collect();
                (Just(lengths), Just(order).prop_shuffle())
            }),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let (lengths, order) = frames;
            let one = |at: &usize| frame(u32::try_from(*at).unwrap(), lengths[*at]);
            let answer: Vec<u8> = order.iter().flat_map(one).collect();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(answer.len())).collect();
            ends.extend([0, answer.len()]);
            ends.sort_unstable();
            let reads: Vec<&[u8]> = ends.windows(2).map(|ends| &answer[ends[0]..ends[1]]).collect();
            prop_assert_eq!(cut(&lengths, &reads), (order, Ok(true)));
        }
    }

    #[test]
    fn what_was_not_asked_for_is_a_lie_and_what_was_good_before_it_has_come() {
        for lie in [frame(3, 16), frame(0, 16), frame(1, 15), frame(2, 16), frame(1, u32::MAX >> 12)] {
            let answer: Vec<u8> = frame(0, 16).into_iter().chain(lie).collect();
            for middle in [0, 3, 17, 24, 27, answer.len()] {
                let (came, end) = cut(&[16, 16, 8], &[&answer[..middle], &answer[middle..]]);
                assert_eq!((came, end), (vec![0], Err(Failure::WrongBytes)), "cut at {middle}");
            }
        }
    }

    #[test]
    fn an_answer_that_ends_within_a_frame_is_not_whole() {
        let answer = frame(2, 8);
        for end in 1..answer.len() {
            assert_eq!(cut(&[16, 16, 8], &[&answer[..end]]), (Vec::new(), Ok(false)), "after {end} bytes");
        }
        assert_eq!(cut(&[16, 16, 8], &[&answer]), (vec![2], Ok(true)));
    }
}
