//! The slices into which keys fall: the hash that says so is part of what is stored.

/// How many slices there are, and so how many shards at most.
pub const SLICES: u32 = 1024;

/// The slice of a key, by its text: below [`SLICES`], and the same for ever.
///
/// It is the 64-bit FNV-1a hash of the text's bytes, then mixed as `SplitMix64` does, of which the lowest ten bits count. FNV
/// alone spreads short texts badly.
///
/// ```
/// assert_eq!(annals::shards::slice_of("ada"), annals::shards::slice_of("ada"));
/// assert!(annals::shards::slice_of("ada") < annals::shards::SLICES);
/// ```
pub fn slice_of(key: &str) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let hash = hash ^ (hash >> 31);
    // Ten bits: they fit.
    u32::try_from(hash % u64::from(SLICES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{SLICES, slice_of};

    /// What is kept depends on it: it must never change.
    #[test]
    fn the_slice_of_a_key_never_changes() {
        let keys = ["", "a", "ada", "0", "1", "42", "\u{fc}ber", "order-7", "[\"any\",\"Ada\"]"];
        let slices: Vec<u32> = keys.into_iter().map(slice_of).collect();
        assert_eq!(slices, GOLDEN);
    }

    const GOLDEN: [u32; 9] = [155, 248, 541, 402, 991, 770, 418, 684, 57];

    #[test]
    fn keys_are_spread_over_all_slices() {
        let mut counts = vec![0_u32; SLICES as usize];
        for key in 0..100 * SLICES {
            counts[slice_of(&key.to_string()) as usize] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least > 50 && *most < 160, "{least} to {most} of 100");
    }
}
