package throughline.peers.job;

import java.nio.charset.StandardCharsets;

/** Customer ids: 17 bytes inside, 34 hex digits outside. */
public final class CustomerId {
    /** Bytes of an id. */
    public static final int BYTES = 17;

    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.ISO_8859_1);

    private CustomerId() {}

    /** Hex digits of an id, lower case: the key of a score record. */
    public static byte[] hex(byte[] id) {
        byte[] hex = new byte[2 * id.length];
        for (int at = 0; at < id.length; at++) {
            hex[2 * at] = DIGITS[id[at] >> 4 & 15];
            hex[2 * at + 1] = DIGITS[id[at] & 15];
        }
        return hex;
    }

    /** The same as text. */
    static String text(byte[] id) {
        return new String(hex(id), StandardCharsets.ISO_8859_1);
    }
}
