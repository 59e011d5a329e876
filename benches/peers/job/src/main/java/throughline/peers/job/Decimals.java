package throughline.peers.job;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * Writes numbers that were rounded to six decimals: as whole millionths, which costs a fraction of finding the shortest
 * digits of any double.
 *
 * <p>Not for several threads at once.
 */
final class Decimals {
    private static final int ROOM = 32;
    private static final int DECIMALS = 6;

    private final char[] text = new char[ROOM];

    /** Writes a member; nothing if the value is not a number. */
    void write(JsonGenerator out, String name, double value) throws IOException {
        if (Double.isNaN(value)) {
            return;
        }
        long left = (long) (Math.abs(value) * 1e6 + 0.5);
        boolean negative = value < 0.0 && left != 0;
        int from = ROOM;
        boolean significant = false;
        for (int decimal = 0; decimal < DECIMALS; decimal++) {
            long digit = left % 10;
            left /= 10;
            significant |= digit != 0;
            if (significant) {
                text[--from] = (char) ('0' + digit);
            }
        }
        if (significant) {
            text[--from] = '.';
        }
        do {
            text[--from] = (char) ('0' + left % 10);
            left /= 10;
        } while (left != 0);
        if (negative) {
            text[--from] = '-';
        }
        out.writeFieldName(name);
        out.writeNumber(text, from, ROOM - from);
    }
}
