/*
 * Runs the main method of one of Kafka's command-line tools inside this JVM, with its own stdin, and gives back what
 * it printed and how it meant to exit.
 */
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

final class Tools {
    /** Stands for the end of the process, which a tool asks for by Exit. */
    private static final class Exited extends Error {
        final int code;

        Exited(int code, String message) {
            super(message);
            this.code = code;
        }
    }

    private Tools() { }

    static JsonNode run(JsonNode op) throws Exception {
        List<String> parameters = new ArrayList<>();
        op.get("parameters").forEach(each -> parameters.add(each.asText()));
        ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        ByteArrayOutputStream stderr = new ByteArrayOutputStream();
        PrintStream out = System.out;
        PrintStream err = System.err;
        InputStream in = System.in;
        System.setOut(new PrintStream(stdout, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(stderr, true, StandardCharsets.UTF_8));
        System.setIn(new ByteArrayInputStream(op.path("input").asText("").getBytes(StandardCharsets.UTF_8)));
        Exit.setExitProcedure((code, message) -> { throw new Exited(code, message); });
        Exit.setHaltProcedure((code, message) -> { throw new Exited(code, message); });
        // Tools add hooks that would close what they opened at the end of the process.
        Exit.setShutdownHookAdder((name, action) -> { });
        int code = 0;
        try {
            Class.forName(op.get("main").asText()).getMethod("main", String[].class).invoke(null, (Object) parameters.toArray(new String[0]));
        } catch (InvocationTargetException error) {
            if (error.getCause() instanceof Exited) {
                code = ((Exited) error.getCause()).code;
            } else {
                error.getCause().printStackTrace();
                code = 1;
            }
        } finally {
            System.out.flush();
            System.err.flush();
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
        return Client.JSON.createObjectNode().put("exit", code)
            .put("stdout", stdout.toString(StandardCharsets.UTF_8)).put("stderr", stderr.toString(StandardCharsets.UTF_8));
    }
}
