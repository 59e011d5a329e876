package throughline.peers.job;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Ids of one deployment: the first 16 bytes of BLAKE3, keyed with its hash key, over fields joined by zero bytes, the word
 * of the kind of id first.
 *
 * <p>Not for several threads at once.
 */
final class Ids {
    private final Blake3 hash;
    private final byte[] touchpoint;
    private final byte[][] identifiers = new byte[IdentifierType.values().length][];
    private final byte[] buffer = new byte[Blake3.INPUT_MAX];

    Ids(byte[] key, String tenant, String system) {
        hash = new Blake3(key);
        touchpoint = text("touchpoint\0" + tenant + "\0" + system + "\0");
        for (IdentifierType type : IdentifierType.values()) {
            identifiers[type.ordinal()] = text("identifier\0" + tenant + "\0" + type.code() + "\0");
        }
    }

    /** Id of a touchpoint, 16 bytes: the same wherever the record is sent again. */
    byte[] touchpoint(String sourceId) {
        byte[] id = new byte[16];
        hash(touchpoint, sourceId, id, 0);
        return id;
    }

    /** Node of an identifier, 17 bytes: its rank and its hash. */
    byte[] node(IdentifierType type, String value) {
        byte[] node = new byte[17];
        node[0] = type.rank();
        hash(identifiers[type.ordinal()], value, node, 1);
        return node;
    }

    private void hash(byte[] prefix, String value, byte[] out, int at) {
        byte[] bytes = text(value);
        int length = prefix.length + bytes.length;
        System.arraycopy(prefix, 0, buffer, 0, prefix.length);
        System.arraycopy(bytes, 0, buffer, prefix.length, bytes.length);
        Arrays.fill(buffer, length, (length + 63) / 64 * 64, (byte) 0);
        hash.hash(buffer, length, out, at);
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
