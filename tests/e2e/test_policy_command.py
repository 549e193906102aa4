"""`gatehouse policy explain` and `policy test`: the rules without a server."""
import pytest


@pytest.fixture
def explain(bastion):
    def ask(sql, role="agent", target="orders"):
        return bastion.gatehouse("policy", "explain", "-c", bastion.file, "--as", role, "--target", target, sql)
    return ask


@pytest.mark.asan
def test_explain_names_effects_rule_and_verdict(explain):
    done = explain("with gone as (delete from payments returning *) select count(*) from gone")
    assert "delete" in done.stdout and "payments" in done.stdout and "no-mass-write" in done.stdout and "deny" in done.stdout


def test_explain_of_an_allowed_statement(explain):
    done = explain("select id, email from customers where city = 'Oslo'")
    assert done.returncode == 0 and "allow" in done.stdout and "agent-sql" in done.stdout and "customers" in done.stdout


def test_explain_depends_on_the_role(explain):
    assert "deny" in explain("drop table payments").stdout
    assert "allow" in explain("drop table payments", role="ops").stdout


def test_explain_of_what_does_not_parse(explain):
    assert "unparsable" in explain("selec 1").stdout


def test_explain_agrees_with_what_really_happens(bastion, agent, explain):
    for sql in ("select 1", "delete from payments", "delete from payments where id = -1", "show timezone", "vacuum",
                "explain select 1", "explain analyze delete from payments", "truncate payments", "listen x",
                "select pg_read_file('x')", "set role postgres", "copy customers to stdout", "lock table customers"):
        refused = agent.psql("-c", "begin", "-c", sql, "-c", "rollback").stderr
        assert ("denied by rule" in refused) == ("deny" in explain(sql).stdout), (sql, refused, explain(sql).stdout)


def test_explain_of_an_unknown_target_is_an_error(explain):
    done = explain("select 1", target="nothing")
    assert done.returncode != 0 and "nothing" in done.stderr


def test_policy_test_passes_and_tells_differences(bastion, tmp_path):
    cases = tmp_path / "cases.yaml"
    cases.write_text("- { as: [agent], target: orders, statement: 'select 1', verdict: allow }\n"
                     "- { as: [agent], target: orders, statement: 'drop table x', verdict: deny, rule: no-drop }\n")
    done = bastion.gatehouse("policy", "test", "-c", bastion.file, cases)
    assert done.returncode == 0, done.stdout + done.stderr
    cases.write_text("- { as: [agent], target: orders, statement: 'drop table x', verdict: allow }\n")
    done = bastion.gatehouse("policy", "test", "-c", bastion.file, cases)
    assert done.returncode == 1 and "deny" in done.stdout + done.stderr
