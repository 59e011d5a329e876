package throughline.peers.job;

import java.time.Instant;
import java.time.LocalDate;

/** Times as Segment writes them, {@code 2026-11-20T10:30:00.000Z}, read and written without a formatter. */
final class Instants {
    private static final long DAY = 86_400_000;

    private Instants() {}

    /** Milliseconds since 1970. */
    static long parse(String text) {
        if (text.length() != 24 || text.charAt(10) != 'T' || text.charAt(19) != '.' || text.charAt(23) != 'Z') {
            return Instant.parse(text).toEpochMilli();
        }
        long days = LocalDate.of(number(text, 0, 4), number(text, 5, 2), number(text, 8, 2)).toEpochDay();
        int seconds = (number(text, 11, 2) * 60 + number(text, 14, 2)) * 60 + number(text, 17, 2);
        return days * DAY + seconds * 1_000L + number(text, 20, 3);
    }

    private static int number(String text, int from, int digits) {
        int number = 0;
        for (int at = from; at < from + digits; at++) {
            int digit = text.charAt(at) - '0';
            if (digit < 0 || digit > 9) {
                throw new IllegalArgumentException("not a time: " + text);
            }
            number = 10 * number + digit;
        }
        return number;
    }

    /** Text of milliseconds since 1970. */
    static String format(long millis) {
        LocalDate date = LocalDate.ofEpochDay(Math.floorDiv(millis, DAY));
        int rest = (int) Math.floorMod(millis, DAY);
        char[] text = new char[24];
        put(text, 0, 4, date.getYear());
        text[4] = '-';
        put(text, 5, 2, date.getMonthValue());
        text[7] = '-';
        put(text, 8, 2, date.getDayOfMonth());
        text[10] = 'T';
        put(text, 11, 2, rest / 3_600_000);
        text[13] = ':';
        put(text, 14, 2, rest / 60_000 % 60);
        text[16] = ':';
        put(text, 17, 2, rest / 1_000 % 60);
        text[19] = '.';
        put(text, 20, 3, rest % 1_000);
        text[23] = 'Z';
        return new String(text);
    }

    private static void put(char[] text, int from, int digits, int number) {
        int left = number;
        for (int at = from + digits - 1; at >= from; at--) {
            text[at] = (char) ('0' + left % 10);
            left /= 10;
        }
    }
}
