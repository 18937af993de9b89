%% Erlang/OTP's ssh as a server, for the matrix of real servers.
%%
%%     escript serve_erlang.escript list          prints the algorithms it has, one a line: kind, blank, name
%%     escript serve_erlang.escript serve FILE    serves port 22 of every address in FILE
%%
%% FILE holds a term for each cell: {Address, SystemDir, PreferredAlgorithms}, as of ssh:daemon/3.

-mode(compile).

main(["list"]) ->
    ok = ssh:start(),
    [io:format("~s ~s~n", [Kind, Name]) || {Kind, Names} <- ssh_transport:supported_algorithms(), Name <- one_way(Names)];
main(["serve", File]) ->
    ok = ssh:start(),
    {ok, Cells} = file:consult(File),
    [listen(Cell) || Cell <- Cells],
    io:format(standard_error, "ready~n", []),
    receive never -> ok end.

%% Both directions have the same.
one_way([{client2server, Names}, _]) -> Names;
one_way(Names) -> Names.

listen({Address, SystemDir, Preferred}) ->
    {ok, Parsed} = inet:parse_address(Address),
    {ok, _} = ssh:daemon(Parsed, 22, [{system_dir, SystemDir}, {preferred_algorithms, Preferred}]).
