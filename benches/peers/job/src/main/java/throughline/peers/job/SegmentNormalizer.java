package throughline.peers.job;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.function.Consumer;

/**
 * The first hop: a Segment call becomes its touchpoints.
 *
 * <p>Read are the members that the score needs, by streaming; the rest is skipped. Not for several threads at once.
 */
public final class SegmentNormalizer {
    /** The name of the source: part of touchpoint ids and of the ids of its orders. */
    private static final String SYSTEM = "web";

    private final JsonFactory json = new JsonFactory();
    private final Ids ids;

    private String type;
    private String name;
    private String sourceId;
    private String login;
    private String cookie;
    private String time;
    private String orderId;
    private String results;
    private double rating;

    /**
     * @param key 32-byte hash key of the deployment
     * @param tenant its tenant
     */
    public SegmentNormalizer(byte[] key, String tenant) {
        ids = new Ids(key, tenant, SYSTEM);
    }

    /**
     * Hands the touchpoints of a call to {@code sink}; none for a name that is not in the table.
     *
     * @throws IOException if the value is no JSON object
     */
    public void normalize(byte[] value, long receivedAt, Consumer<Touchpoint> sink) throws IOException {
        read(value);
        if ("page".equals(type)) {
            emit(TouchpointType.PAGE_VIEWED, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
        } else if ("track".equals(type) && name != null) {
            track(receivedAt, sink);
        }
    }

    private void track(long receivedAt, Consumer<Touchpoint> sink) {
        switch (name) {
            case "Product Viewed" -> emit(TouchpointType.LISTING_VIEWED, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
            case "Product Added" -> emit(TouchpointType.PAGE_VIEWED, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
            case "Products Searched" -> {
                boolean nothing = "0".equals(results);
                TouchpointType found = nothing ? TouchpointType.SEARCH_FAILED : TouchpointType.PAGE_VIEWED;
                emit(found, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
            }
            case "Checkout Started" ->
                emit(TouchpointType.CHECKOUT_STARTED, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
            case "Coupon Denied" -> emit(TouchpointType.COUPON_DENIED, sourceId, Channel.WEB, Double.NaN, receivedAt, sink);
            case "Product Reviewed" ->
                emit(TouchpointType.REVIEW_SUBMITTED, sourceId, Channel.REVIEW, rating, receivedAt, sink);
            case "Order Completed" -> {
                // An order is two touchpoints of one thing.
                String order = "order/" + orderId + "/";
                TouchpointType created = TouchpointType.ORDER_CREATED;
                TouchpointType paid = TouchpointType.PAYMENT_COMPLETED;
                emit(created, order + created.code(), Channel.WEB, Double.NaN, receivedAt, sink);
                emit(paid, order + paid.code(), Channel.WEB, Double.NaN, receivedAt, sink);
            }
            default -> { }
        }
    }

    private void emit(
            TouchpointType kind,
            String source,
            Channel channel,
            double stars,
            long receivedAt,
            Consumer<Touchpoint> sink) {
        long occurredAt = time == null ? receivedAt : Instants.parse(time);
        sink.accept(new Touchpoint(ids.touchpoint(source), identifiers(), occurredAt, receivedAt, kind, channel, stars));
    }

    /** All nodes that the call names, strongest first. */
    private byte[][] identifiers() {
        int count = (login == null ? 0 : 1) + (cookie == null ? 0 : 1) + (orderId == null ? 0 : 1);
        byte[][] nodes = new byte[count][];
        int at = 0;
        if (login != null) {
            nodes[at++] = ids.node(IdentifierType.LOGIN, login);
        }
        if (cookie != null) {
            nodes[at++] = ids.node(IdentifierType.COOKIE, cookie);
        }
        if (orderId != null) {
            nodes[at] = ids.node(IdentifierType.VISIT, SYSTEM + ":order:" + orderId);
        }
        return nodes;
    }

    private void read(byte[] value) throws IOException {
        type = name = sourceId = login = cookie = time = orderId = results = null;
        rating = Double.NaN;
        try (JsonParser parser = json.createParser(value)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new IOException("not an object");
            }
            String member;
            while ((member = parser.nextFieldName()) != null) {
                switch (member) {
                    case "type" -> type = parser.nextTextValue();
                    case "event" -> name = parser.nextTextValue();
                    case "messageId" -> sourceId = parser.nextTextValue();
                    case "userId" -> login = parser.nextTextValue();
                    case "anonymousId" -> cookie = parser.nextTextValue();
                    case "timestamp" -> time = parser.nextTextValue();
                    case "properties" -> readProperties(parser);
                    default -> skip(parser);
                }
            }
        }
    }

    private void readProperties(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            return;
        }
        String member;
        while ((member = parser.nextFieldName()) != null) {
            switch (member) {
                case "order_id" -> orderId = parser.nextTextValue();
                case "results" -> {
                    parser.nextToken();
                    results = parser.getText();
                }
                case "rating" -> {
                    parser.nextToken();
                    rating = parser.getValueAsDouble(Double.NaN);
                }
                default -> skip(parser);
            }
        }
    }

    private static void skip(JsonParser parser) throws IOException {
        parser.nextToken();
        parser.skipChildren();
    }
}
