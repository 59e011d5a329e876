package throughline.peers.job;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Keyed BLAKE3 of inputs of at most one chunk (1,024 bytes), which ids always are. It allocates nothing while it hashes.
 *
 * <p>Not for several threads at once.
 */
final class Blake3 {
    /** Longest input in bytes. */
    static final int INPUT_MAX = 1_024;

    private static final int BLOCK = 64;
    private static final int CHUNK_START = 1;
    private static final int CHUNK_END = 2;
    private static final int ROOT = 8;
    private static final int KEYED = 16;

    private static final int IV0 = 0x6A09E667;
    private static final int IV1 = 0xBB67AE85;
    private static final int IV2 = 0x3C6EF372;
    private static final int IV3 = 0xA54FF53A;

    /** Which word of the block each step of the seven rounds takes: a permutation applied again and again. */
    private static final byte[] SCHEDULE = schedule();

    private static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private final int[] key = new int[8];
    private final int[] chaining = new int[8];
    private final int[] block = new int[16];

    Blake3(byte[] key) {
        for (int at = 0; at < 8; at++) {
            this.key[at] = (int) WORDS.get(key, 4 * at);
        }
    }

    /**
     * Writes the first 16 bytes of the hash of {@code input[0..length]} to {@code out} from {@code at} on.
     *
     * @param input holds zeros from {@code length} up to the next multiple of 64
     */
    void hash(byte[] input, int length, byte[] out, int at) {
        System.arraycopy(key, 0, chaining, 0, 8);
        int from = 0;
        int flags = KEYED | CHUNK_START;
        while (length - from > BLOCK) {
            compress(input, from, BLOCK, flags);
            flags = KEYED;
            from += BLOCK;
        }
        compress(input, from, length - from, flags | CHUNK_END | ROOT);
        for (int word = 0; word < 4; word++) {
            WORDS.set(out, at + 4 * word, chaining[word]);
        }
    }

    private void compress(byte[] input, int from, int length, int flags) {
        int[] m = block;
        for (int word = 0; word < 16; word++) {
            m[word] = (int) WORDS.get(input, from + 4 * word);
        }
        int[] c = chaining;
        int v0 = c[0], v1 = c[1], v2 = c[2], v3 = c[3], v4 = c[4], v5 = c[5], v6 = c[6], v7 = c[7];
        int v8 = IV0, v9 = IV1, v10 = IV2, v11 = IV3, v12 = 0, v13 = 0, v14 = length, v15 = flags;
        byte[] s = SCHEDULE;
        for (int r = 0; r < 112; r += 16) {
            v0 += v4 + m[s[r]]; v12 = Integer.rotateRight(v12 ^ v0, 16); v8 += v12; v4 = Integer.rotateRight(v4 ^ v8, 12);
            v0 += v4 + m[s[r + 1]]; v12 = Integer.rotateRight(v12 ^ v0, 8); v8 += v12; v4 = Integer.rotateRight(v4 ^ v8, 7);
            v1 += v5 + m[s[r + 2]]; v13 = Integer.rotateRight(v13 ^ v1, 16); v9 += v13; v5 = Integer.rotateRight(v5 ^ v9, 12);
            v1 += v5 + m[s[r + 3]]; v13 = Integer.rotateRight(v13 ^ v1, 8); v9 += v13; v5 = Integer.rotateRight(v5 ^ v9, 7);
            v2 += v6 + m[s[r + 4]]; v14 = Integer.rotateRight(v14 ^ v2, 16); v10 += v14; v6 = Integer.rotateRight(v6 ^ v10, 12);
            v2 += v6 + m[s[r + 5]]; v14 = Integer.rotateRight(v14 ^ v2, 8); v10 += v14; v6 = Integer.rotateRight(v6 ^ v10, 7);
            v3 += v7 + m[s[r + 6]]; v15 = Integer.rotateRight(v15 ^ v3, 16); v11 += v15; v7 = Integer.rotateRight(v7 ^ v11, 12);
            v3 += v7 + m[s[r + 7]]; v15 = Integer.rotateRight(v15 ^ v3, 8); v11 += v15; v7 = Integer.rotateRight(v7 ^ v11, 7);
            v0 += v5 + m[s[r + 8]]; v15 = Integer.rotateRight(v15 ^ v0, 16); v10 += v15; v5 = Integer.rotateRight(v5 ^ v10, 12);
            v0 += v5 + m[s[r + 9]]; v15 = Integer.rotateRight(v15 ^ v0, 8); v10 += v15; v5 = Integer.rotateRight(v5 ^ v10, 7);
            v1 += v6 + m[s[r + 10]]; v12 = Integer.rotateRight(v12 ^ v1, 16); v11 += v12; v6 = Integer.rotateRight(v6 ^ v11, 12);
            v1 += v6 + m[s[r + 11]]; v12 = Integer.rotateRight(v12 ^ v1, 8); v11 += v12; v6 = Integer.rotateRight(v6 ^ v11, 7);
            v2 += v7 + m[s[r + 12]]; v13 = Integer.rotateRight(v13 ^ v2, 16); v8 += v13; v7 = Integer.rotateRight(v7 ^ v8, 12);
            v2 += v7 + m[s[r + 13]]; v13 = Integer.rotateRight(v13 ^ v2, 8); v8 += v13; v7 = Integer.rotateRight(v7 ^ v8, 7);
            v3 += v4 + m[s[r + 14]]; v14 = Integer.rotateRight(v14 ^ v3, 16); v9 += v14; v4 = Integer.rotateRight(v4 ^ v9, 12);
            v3 += v4 + m[s[r + 15]]; v14 = Integer.rotateRight(v14 ^ v3, 8); v9 += v14; v4 = Integer.rotateRight(v4 ^ v9, 7);
        }
        c[0] = v0 ^ v8;
        c[1] = v1 ^ v9;
        c[2] = v2 ^ v10;
        c[3] = v3 ^ v11;
        c[4] = v4 ^ v12;
        c[5] = v5 ^ v13;
        c[6] = v6 ^ v14;
        c[7] = v7 ^ v15;
    }

    private static byte[] schedule() {
        int[] permutation = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
        byte[] schedule = new byte[7 * 16];
        for (int at = 0; at < 16; at++) {
            schedule[at] = (byte) at;
        }
        for (int at = 16; at < schedule.length; at++) {
            schedule[at] = schedule[at - 16 - at % 16 + permutation[at % 16]];
        }
        return schedule;
    }
}
