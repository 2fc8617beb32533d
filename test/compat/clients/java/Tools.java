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
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

final class Tools {
    /** Stands for the end of the process, which a tool asks for by Exit. */
    private static final class Exited extends Error {
        Exited() {
            super("exit", null, false, false);
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
        // The first exit is the one that a process of its own would have had; a tool may catch it and exit again.
        AtomicReference<Integer> asked = new AtomicReference<>();
        Exit.Procedure leave = (code, message) -> {
            asked.compareAndSet(null, code);
            throw new Exited();
        };
        Exit.setExitProcedure(leave);
        Exit.setHaltProcedure(leave);
        // Tools flush and close what they opened in hooks at the end of the process.
        List<Runnable> hooks = new ArrayList<>();
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        int code = 0;
        try {
            Class.forName(op.get("main").asText()).getMethod("main", String[].class).invoke(null, (Object) parameters.toArray(new String[0]));
        } catch (InvocationTargetException error) {
            if (!(error.getCause() instanceof Exited)) {
                error.getCause().printStackTrace();
                code = 1;
            }
        } finally {
            hooks.forEach(Runnable::run);
            System.out.flush();
            System.err.flush();
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
        if (asked.get() != null) code = asked.get();
        return Client.JSON.createObjectNode().put("exit", code)
            .put("stdout", stdout.toString(StandardCharsets.UTF_8)).put("stderr", stderr.toString(StandardCharsets.UTF_8));
    }
}
